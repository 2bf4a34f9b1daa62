// What a patch attends to comes below the photo: into view, but no further than it needs.
watch("value", () => {
  if (!props.value) return;
  const images = [...element.querySelectorAll("img")].map((image) => image.decode().catch(() => {}));
  Promise.all(images).then(() => element.scrollIntoView({ block: "nearest", behavior: "smooth" }));
});
