// The facets beside a list, fetched once the list is there; and again when the list changed, not too often.
import { every } from "./pace.js";

const MOST_OFTEN = 5000; // ms: counting is work for the machine that the reader's program runs on
const wide = () => matchMedia("(min-width: 54.01rem)").matches;

async function fill(place) {
  const answer = await fetch(place.dataset.facets);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = document.adoptNode(page.querySelector("[data-facets-found]"));
  const before = place.querySelector(".facets-fold");
  const shut = before && new Set([...before.querySelectorAll("details:not([open])")].map((part) => part.firstElementChild.textContent));
  if (shut) for (const part of found.querySelectorAll("details")) part.open = !shut.has(part.firstElementChild.textContent);
  const fold = document.createElement("details");
  fold.className = "facets-fold";
  fold.open = before ? before.open : wide();
  const title = document.createElement("summary");
  title.textContent = "Values";
  fold.append(title, found);
  place.replaceChildren(fold);
}

const place = document.querySelector("[data-facets]");

export const refreshFacets = every(MOST_OFTEN, () => place && fill(place));

export function startFacets() {
  if (place) fill(place);
}
