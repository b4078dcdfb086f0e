// Everything here only helps: each page works without it.

// Copying a code or a link.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = button.dataset.done;
});
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

// A second press of the same button is the same wish: the server answers both alike, this only spares the wait.
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("[data-once]");
  if (!button) return;
  button.setAttribute("aria-busy", "true");
  setTimeout(() => { button.disabled = true; });
});
window.addEventListener("pageshow", (event) => {
  // Brought back by "back" as it was left: the points may be others by now, and the buyer may have signed out.
  if (event.persisted) location.reload();
  for (const button of document.querySelectorAll("[data-once]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});

// A menu closes when something else is pressed, or by Escape.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// Without a connection a note says so, until there is one again.
const offline = document.querySelector("[data-offline]");
function tellConnection() { if (offline) offline.hidden = navigator.onLine; }
window.addEventListener("online", tellConnection);
window.addEventListener("offline", tellConnection);
tellConnection();

// A button that opens a question in front of the page; without scripts it is a link to a page that asks the same.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (!dialog || !dialog.showModal) return;
  event.preventDefault();
  dialog.showModal();
});
document.addEventListener("click", (event) => {
  const closer = event.target.closest("[data-close]");
  if (closer) { event.preventDefault(); closer.closest("dialog").close(); }
});
