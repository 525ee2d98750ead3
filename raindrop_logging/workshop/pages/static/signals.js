// The pages of signals and the signals of an event: marks, the switch, taking one away.
import { refreshMain } from "./workshop.js";

const POLL = 700; // ms between two looks at a back-fill
const address = (id) => "/api/signals/" + encodeURIComponent(id);

async function change(method, path, body) {
  const json = body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  try {
    const answer = await fetch(path, { method, ...json });
    if (answer.ok) return true;
    tell((await answer.json()).message);
  } catch { tell("The Workshop does not answer. Is it still running?"); }
  return false;
}

function tell(problem) {
  const place = document.querySelector("main [data-problem]");
  if (!place) return;
  place.textContent = problem;
  place.hidden = false;
}

// The page says what the store says afterwards; the focus stays on the row, or on the switch.
async function changeAndShow(method, path, body, focus) {
  if (!await change(method, path, body)) return;
  await refreshMain();
  focus()?.focus({ preventScroll: true });
}

function mark(marks, verdict) {
  const { signalId, eventId } = marks.dataset;
  const path = `${address(signalId)}/marks/${encodeURIComponent(eventId)}`;
  const row = () => [...document.querySelectorAll(".marks")]
    .find((other) => other.dataset.eventId === eventId && other.dataset.signalId === signalId);
  const focus = () => row()?.closest("[data-hit]").querySelector("a");
  if (verdict === undefined) changeAndShow("DELETE", path, undefined, focus);
  else changeAndShow("POST", path, { wrong: verdict === "wrong" }, focus);
}

function take(button) {
  if (button.dataset.sure === undefined) {
    button.dataset.sure = "";
    button.textContent = "Delete with its hits and marks?";
    return;
  }
  change("DELETE", address(button.dataset.delete)).then((gone) => { if (gone) location.assign("/signals"); });
}

addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { mark: verdict, switch: id } = button.dataset;
  if (verdict !== undefined) mark(button.closest(".marks"), verdict);
  else if (button.dataset.unmark !== undefined) mark(button.closest(".marks"));
  else if (button.dataset.delete !== undefined) take(button);
  else if (id !== undefined) {
    const on = button.getAttribute("aria-checked") !== "true";
    changeAndShow("PATCH", address(id), { enabled: on }, () => document.getElementById(button.id));
  }
});

// A back-fill makes no event, so the page looks by itself while one runs.
async function follow() {
  if (document.querySelector("[data-state=backfilling]") && document.visibilityState === "visible") await refreshMain();
  setTimeout(follow, POLL);
}
setTimeout(follow, POLL);
