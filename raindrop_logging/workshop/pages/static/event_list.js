// The list of events: rows that come and change, and the order for the keys of an event's page.
// Everything that arrives is put on the page as text, never as markup.
import { remember, remembered } from "./storage.js";
import { tellTime } from "./times.js";

const MOST_ROWS = 500;
const session = () => sessionStorage;
const byId = (rows, id) => [...rows.children].find((row) => row.dataset.id === id);
const duration = (seconds) => seconds < 0.001 ? "<1 ms" : seconds < 1 ? Math.round(seconds * 1000) + " ms"
  : seconds < 60 ? seconds.toFixed(1) + " s" : Math.floor(seconds / 60) + " min " + Math.floor(seconds % 60) + " s";
const address = (id) => "/events/" + encodeURIComponent(id);

function fillRow(row, event) {
  row.dataset.id = event.event_id;
  row.dataset.time = event.timestamp;
  row.classList.toggle("pending", event.is_pending);
  row.classList.toggle("failed", event.error_count > 0);
  row.querySelector("a").href = address(event.event_id);
  for (const place of row.querySelectorAll("[data-text]")) {
    const text = event[place.dataset.text];
    place.textContent = text || (place.dataset.text === "event" ? "(unnamed)" : "");
  }
  for (const place of row.querySelectorAll("[data-count]")) {
    const count = event[place.dataset.count];
    place.hidden = !count;
    place.querySelector("b").textContent = count;
  }
  row.querySelector("[data-tools]").textContent = event.tools.join(", ");
  row.querySelector("[data-seconds]").textContent = event.seconds === null ? "" : duration(event.seconds);
  const time = row.querySelector("time");
  time.dateTime = event.timestamp;
  tellTime(time);
}

export function showInList(rows, event) {
  const known = byId(rows, event.event_id);
  const oldest = rows.lastElementChild;
  const older = document.querySelector("[rel=next]") && oldest && event.timestamp < oldest.dataset.time;
  if (!known && (older || !("newest" in rows.dataset))) return;
  const row = known || document.querySelector("template[data-row]").content.firstElementChild.cloneNode(true);
  const moved = row.dataset.time !== event.timestamp;
  fillRow(row, event);
  if (!known || moved) {
    const next = [...rows.children].find((other) => other !== row && other.dataset.time <= event.timestamp);
    rows.insertBefore(row, next || null);
  }
  row.classList.remove("fresh");
  void row.offsetWidth; // restarts the highlight
  row.classList.add("fresh");
  document.querySelector("[data-empty]").hidden = true;
  if (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
  keepOrder(rows);
}

export async function refreshTotals() {
  const totals = document.querySelectorAll("[data-total]");
  if (!totals.length) return;
  const answer = await fetch("/api/health");
  if (!answer.ok) return;
  const health = await answer.json();
  for (const total of totals) {
    total.textContent = health[total.dataset.total].toLocaleString("en");
    total.parentElement.hidden = false;
  }
}

// Remembers for this tab which events the reader is looking through.
export function keepOrder(rows) {
  remember("order", JSON.stringify([...rows.children].map((row) => row.dataset.id)), session);
}

// An event's page leads to those beside it in the list it was opened from.
export function linkNeighbours() {
  const order = JSON.parse(remembered("order", session) || "[]");
  const at = order.indexOf(document.body.dataset.event);
  const link = (selector, id) => {
    const place = document.querySelector(selector);
    if (!place || id === undefined) return;
    place.href = address(id);
    place.hidden = false;
  };
  if (at < 0) return;
  link("[data-newer]", order[at - 1]);
  link("[data-older]", order[at + 1]);
}
