// The preview follows the form while one types, at the width that is chosen. Without this, a button shows it.
const form = document.getElementById("embed-form");
const shown = document.querySelector("[data-embed-preview]");
const show = form.querySelector("[data-embed-show]");
let waiting;
const refresh = () => { clearTimeout(waiting); waiting = setTimeout(() => form.requestSubmit(show), 300); };
form.addEventListener("input", refresh);
form.addEventListener("change", refresh);
shown.addEventListener("load", () => {
  const height = shown.contentDocument?.documentElement.dataset.height;
  if (height) shown.height = height;
});
document.addEventListener("change", (event) => {
  if ("embedWidth" in event.target.dataset) shown.style.width = event.target.dataset.embedWidth ? `${event.target.dataset.embedWidth}px` : "100%";
});
refresh();
