// The images of the variant that the reader chooses: each stands once in the page and goes where it is wanted.
for (const select of document.querySelectorAll(".choose select")) {
  const section = select.closest("section");
  const panels = new Map();
  for (const one of section.querySelectorAll(".panels")) panels.set(one.closest(".image").dataset.image, one);
  const choose = () => {
    for (const choice of section.querySelectorAll(".choice")) {
      choice.hidden = choice.dataset.variant !== select.value;
      if (!choice.hidden)
        for (const image of choice.querySelectorAll(".image")) image.append(panels.get(image.dataset.image));
    }
  };
  select.addEventListener("change", choose);
  choose();  // a browser may remember an earlier choice
}
