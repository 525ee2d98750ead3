// The switches a reader sets once: dark or light, Markdown or raw.
import { remember, remembered } from "./storage.js";

const root = document.documentElement;
const systemIsDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

export function switchTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark();
  root.dataset.theme = dark ? "light" : "dark";
  remember("theme", root.dataset.theme);
}

export function switchView() {
  const other = document.querySelector("[data-view-switch] input:not(:checked)");
  if (!other) return;
  other.checked = true;
  remember("view", other.value);
}

// Sets what was chosen before; again after a part of the page was replaced.
export function applyView(within = document) {
  const chosen = remembered("view");
  for (const choice of within.querySelectorAll("[data-view-switch] input")) if (choice.value === chosen) choice.checked = true;
}

export function startSwitches() {
  const button = document.querySelector("[data-theme-switch]");
  button.hidden = false;
  button.addEventListener("click", switchTheme);
  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-view-switch]")) remember("view", event.target.value);
  });
  applyView();
}
