// The legend: every class with its colour, which can be changed, and its area. Names come from people: text alone.
const $ = (name) => element.querySelector(`.fs-${name}`);

function make(tag, text, properties) {
  const made = Object.assign(document.createElement(tag), properties || {});
  if (text) made.textContent = text;
  return made;
}

function line(row, largest, compared) {
  const made = make("tr"), first = make("td"), label = make("label");
  const bar = make("td", "", { className: "fs-bar" }), filled = make("i");
  const colour = make("input", "", { type: "color", value: row.colour, title: "Change the colour" });
  colour.setAttribute("aria-label", `Colour of ${row.name}`);
  colour.dataset.name = row.name;
  label.append(colour, make("span", row.name));
  first.append(label);
  Object.assign(filled.style, { width: `${100 * row.fraction / largest}%`, background: row.colour });
  bar.append(filled);
  made.append(first, bar, make("td", row.area));
  if (compared) made.append(make("td", row.before));
  made.append(make("td", row.confidence || "–"));
  return made;
}

function paint() {
  const value = props.value;
  $("found").hidden = !value;
  if (!value) return;
  const head = make("tr"), largest = Math.max(...value.rows.map((row) => row.fraction), 1e-9);
  const columns = ["class", "", ...(value.before ? ["area", "without feedback"] : ["area"]), "confidence"];
  for (const title of columns) head.append(make("th", title, title ? {} : { className: "fs-bar" }));
  $("legend").tHead.replaceChildren(head);
  $("legend").tBodies[0].replaceChildren(...value.rows.map((row) => line(row, largest, value.before)));
  $("missing").textContent = value.missing.length ? `Not found: ${value.missing.join(", ")}` : "";
}

element.addEventListener("change", (event) => {
  const name = event.target.dataset.name;
  if (name !== undefined) trigger("recolour", { name, colour: event.target.value });
});
watch("value", paint);
paint();
