// The viewer: two drawings with a slider between them, the class under the pointer, and a place to ask about.
// All but asking happens here, without a request. Names come from people: they are set as text alone.
const $ = (name) => element.querySelector(`.fs-${name}`);
const STEP = 0.02; // of the photo's sides, for each arrow key
const NARROW = 768; // pixels of a window in which the result is below the words
let shown = null; // what is drawn now
let codes = null; // its classes and confidences, left with feedback, right without
let place = [0.5, 0.5]; // of the keyboard's cross
let split = 50;
let dragging = false;

function make(tag, text, properties) {
  const made = Object.assign(document.createElement(tag), properties || {});
  if (text) made.textContent = text;
  return made;
}

function slide(percent) {
  split = Math.min(100, Math.max(0, percent));
  const both = shown && shown.before;
  $("before").style.clipPath = `inset(0 ${100 - split}% 0 0)`;
  $("handle").style.left = `${split}%`;
  $("split").value = split;
  $("left").hidden = !both || split < 18;
  $("right").hidden = !both || split > 82;
}

function read(value) {
  const image = new Image();
  image.onload = () => {
    const canvas = make("canvas", "", { width: image.width, height: image.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    if (shown !== value) return;
    codes = context.getImageData(0, 0, image.width, image.height);
    element.dataset.answer = value.answer; // from here on it can be pointed at
  };
  codes = null;
  image.src = value.codes;
}

function paint() {
  const value = props.value;
  const some = Boolean(value && value.after);
  $("empty").hidden = some;
  $("viewer").hidden = !some;
  if (!some) return;
  const photo = shown && shown.photo;
  shown = value;
  $("after").src = value.after;
  $("before").hidden = $("handle").hidden = $("slide").hidden = !value.before;
  if (value.before) $("before").src = value.before;
  $("tip").hidden = true;
  if (photo !== value.photo) { $("cross").hidden = true; place = [0.5, 0.5]; }
  slide(split);
  read(value);
  if (photo !== value.photo && window.innerWidth < NARROW)
    $("after").decode().catch(() => {}).then(() => element.scrollIntoView({ block: "nearest", behavior: "smooth" }));
}

function coded(x, y, half) {
  const wide = codes.width / 2;
  const column = Math.min(wide - 1, Math.floor(x * wide)) + half * wide;
  const at = 4 * (Math.min(codes.height - 1, Math.floor(y * codes.height)) * codes.width + column);
  return [codes.data[at] + 256 * codes.data[at + 1], Math.round(codes.data[at + 2] / 2.55)];
}

function tell(x, y) {
  if (!codes || !shown) return;
  const [label, sure] = coded(x, y, 0), [was, wasSure] = coded(x, y, 1), tip = $("tip");
  const swatch = make("i");
  swatch.style.background = shown.colours[label];
  tip.replaceChildren(swatch, `${shown.names[label]} ${sure} %`);
  if (shown.before) tip.append(make("small", `without feedback: ${shown.names[was]} ${wasSure} %`));
  tip.hidden = false;
  tip.style.left = x < 0.5 ? `calc(${100 * x}% + 14px)` : "auto";
  tip.style.right = x < 0.5 ? "auto" : `calc(${100 - 100 * x}% + 14px)`;
  tip.style.top = y < 0.75 ? `calc(${100 * y}% + 14px)` : "auto";
  tip.style.bottom = y < 0.75 ? "auto" : `calc(${100 - 100 * y}% + 14px)`;
}

function mark(x, y) {
  place = [x, y];
  Object.assign($("cross").style, { left: `${100 * x}%`, top: `${100 * y}%` });
  $("cross").hidden = false;
}

function ask(x, y) {
  mark(x, y);
  trigger("pick", { x, y, answer: shown.answer });
}

function within(event) {
  const box = $("stage").getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
    .map((part) => Math.min(0.9999, Math.max(0, part)));
}

const on = (kind, act) => element.addEventListener(kind, act);
const at = (event, name) => event.target.closest(`.fs-${name}`);
on("input", (event) => { if (at(event, "split")) slide(Number(event.target.value)); });
on("pointerdown", (event) => {
  if (!at(event, "handle")) return;
  dragging = true;
  event.target.setPointerCapture(event.pointerId);
  event.preventDefault();
});
on("pointermove", (event) => {
  if (dragging) slide(100 * within(event)[0]);
  else if (at(event, "stage") && event.pointerType !== "touch") tell(...within(event));
});
on("pointerup", () => { dragging = false; });
on("pointercancel", () => { dragging = false; });
on("pointerout", (event) => { if (at(event, "stage") && !$("stage").contains(event.relatedTarget)) $("tip").hidden = true; });
on("click", (event) => {
  if (!at(event, "stage") || at(event, "handle") || !shown) return;
  const [x, y] = within(event);
  tell(x, y);
  ask(x, y);
});
on("keydown", (event) => {
  if (event.target !== $("stage") || !shown) return;
  const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  if (moves[event.key]) {
    const [x, y] = place.map((part, side) => Math.min(0.9999, Math.max(0, part + moves[event.key][side])));
    mark(x, y);
    tell(x, y);
  } else if (event.key === "Enter" || event.key === " ") ask(...place);
  else return;
  event.preventDefault();
});
watch("value", paint);
paint();
