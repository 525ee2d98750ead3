// Every page's start: the parts below, and the stream of changes.
import { keepOrder, linkNeighbours, refreshTotals, showInList } from "./event_list.js";
import { refreshFacets, startFacets } from "./facets.js";
import { startKeys } from "./keys.js";
import { every } from "./pace.js";
import { startSavedFilters } from "./saved_filters.js";
import { applyView, startSwitches } from "./switches.js";
import { tellTimes } from "./times.js";

const { event: eventId, convo: convoId } = document.body.dataset;
const liveRows = () => document.querySelector("ol[data-rows]:has(+ template)");
const HEAVY = 4000; // ms between two refreshes of a page that counts much

// Whether the page shows this event, or one that launched it or was launched by it.
const concerns = (event) => event.event_id === eventId
  || (convoId !== undefined && event.convo_id === convoId)
  || [...document.querySelectorAll("[data-linked]")].some((place) => place.dataset.linked === event.event_id);

// Reloads what the page shows, and keeps what the reader opened. A page with a filter bar reloads its list only, so that
// nothing is lost that the reader is writing.
export async function refreshMain() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const open of document.querySelectorAll("details[id][open]")) {
    const same = page.getElementById(open.id);
    if (same) same.open = true;
  }
  const focused = document.activeElement?.closest("details[id]")?.id;
  const row = document.activeElement?.closest("li[data-id]")?.dataset.id;
  applyView(page);
  const part = document.querySelector("[data-part]") ? "[data-part]" : "main";
  document.querySelector(part).replaceWith(document.adoptNode(page.querySelector(part)));
  if (focused) document.getElementById(focused)?.querySelector("summary").focus({ preventScroll: true });
  if (row !== undefined) document.querySelector(`li[data-id="${CSS.escape(row)}"] a`)?.focus({ preventScroll: true });
  shown();
}

function shown() {
  tellTimes();
  if (eventId !== undefined) linkNeighbours();
  const rows = liveRows();
  if (rows) keepOrder(rows);
  showEndpoint();
}

function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
}

function listen() {
  const live = document.querySelector("[data-live]");
  const source = new EventSource("/api/stream");
  const refreshSoon = every(document.querySelector("[data-heavy]") ? HEAVY : 150, refreshMain);
  const totalsSoon = every(HEAVY, refreshTotals);
  source.onopen = () => { live.textContent = "live"; live.classList.add("on"); };
  source.onerror = () => { live.textContent = "not connected"; live.classList.remove("on"); };
  source.addEventListener("change", (message) => {
    const event = JSON.parse(message.data);
    const rows = liveRows();
    if (rows && !("refreshed" in rows.dataset)) showInList(rows, event);
    totalsSoon();
    refreshFacets();
    if (concerns(event) || document.querySelector("[data-refreshed]")) refreshSoon();
  });
}

// On a narrow screen the navigation is wider than its place.
function showWhereWeAre() {
  const pages = document.querySelector(".pages");
  const here = pages.querySelector("[aria-current]")?.getBoundingClientRect();
  const room = pages.getBoundingClientRect();
  if (here) pages.scrollLeft += (here.left + here.right - room.left - room.right) / 2;
}

function showEndpoint() {
  for (const place of document.querySelectorAll("[data-endpoint]")) {
    place.textContent = place.textContent.replace("http://localhost:5899", location.origin);
  }
}

showWhereWeAre();
startSwitches();
startKeys();
startFacets();
startSavedFilters();
shown();
refreshTotals();
setInterval(tellTimes, 15000);
addEventListener("hashchange", openTarget);
openTarget();
listen();
