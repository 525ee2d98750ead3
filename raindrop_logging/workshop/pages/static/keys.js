// The keyboard: the table says which key does what.
import { switchTheme, switchView } from "./switches.js";

const dialog = document.querySelector("[data-keys]");
const MOST_WAIT = 1500; // ms between g and the next key
let goUntil = 0;

// What j and k walk through: the links of a list's rows, or the spans of a trajectory.
const stops = () => [...document.querySelectorAll("[data-rows] > li a, [data-rows] > details > summary")]
  .filter((stop, at, all) => !stop.closest("li") || all.findIndex((other) => other.closest("li") === stop.closest("li")) === at);

function move(by) {
  const all = stops();
  if (!all.length) return;
  const now = all.findIndex((stop) => stop === document.activeElement || stop.closest("li")?.contains(document.activeElement));
  const next = all[Math.min(Math.max(now < 0 ? (by > 0 ? 0 : all.length - 1) : now + by, 0), all.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function openLink(selector) {
  const link = document.querySelector(selector);
  if (link && !link.hidden) link.click();
}

function focusField() {
  const field = document.querySelector("[data-search], input[type=search]");
  if (field) field.focus();
  else location.assign("/search");
}

// Right or wrong, for the hit in focus: the button that says so, or the one that takes it back.
function mark(key) {
  const row = document.activeElement?.closest("[data-hit]");
  const button = row?.querySelector(`.marks button[title$="(${key})"]`);
  if (button) button.click();
}

const DOES = {
  j: () => move(1),
  k: () => move(-1),
  "[": () => openLink("[data-newer]"),
  "]": () => openLink("[data-older]"),
  "/": focusField,
  x: () => mark("x"),
  y: () => mark("y"),
  m: switchView,
  t: switchTheme,
  "?": () => dialog.showModal(),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
  const field = event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
  if (event.key === "Escape") { document.activeElement.blur(); return; }
  if (field) return;
  if (event.timeStamp < goUntil) {
    goUntil = 0;
    openLink(`[data-go="${CSS.escape(event.key)}"]`);
  } else if (event.key === "g") {
    goUntil = event.timeStamp + MOST_WAIT;
  } else if (Object.hasOwn(DOES, event.key)) {
    DOES[event.key]();
  } else return;
  event.preventDefault();
}

export function startKeys() {
  const button = document.querySelector("[data-keys-open]");
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
  dialog.querySelector("[data-keys-close]").addEventListener("click", () => dialog.close());
  addEventListener("keydown", pressed);
}
