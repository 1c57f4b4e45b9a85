// The arrow keys turn pages: they follow the page's links to what is before and behind.

const TYPED_IN = "input, select, textarea, [role=slider]";

document.addEventListener("keydown", (event) => {
  if (event.shiftKey || event.ctrlKey || event.altKey || event.metaKey || event.target.matches(TYPED_IN)) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = rel && document.querySelector(`a[rel=${rel}]`);
  if (link) location.assign(link.href);
});
