// Zooms and pans the map of movies. Everything else on the pages works without a script.
"use strict";

const LEAST_WIDTH = 0.05;
const GREATEST_WIDTH = 2.1;

function zoom(map, factor, x, y) {
  const box = map.viewBox.baseVal;
  const width = Math.min(GREATEST_WIDTH, Math.max(LEAST_WIDTH, box.width * factor));
  const share = width / box.width;
  box.x = x - (x - box.x) * share;
  box.y = y - (y - box.y) * share;
  box.width = width;
  box.height = width;
  for (const circle of map.querySelectorAll("circle")) {
    circle.setAttribute("r", String((0.012 * width) / GREATEST_WIDTH));
  }
}

function middle(map) {
  const box = map.viewBox.baseVal;
  return [box.x + box.width / 2, box.y + box.height / 2];
}

function placeOf(map, event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
  return [point.x, point.y];
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-zoom]");
  const map = document.getElementById("map");
  if (button && map) {
    zoom(map, button.dataset.zoom === "in" ? 0.6 : 1 / 0.6, ...middle(map));
  }
});

document.addEventListener("keydown", (event) => {
  const map = document.getElementById("map");
  if (!map || event.target !== map) {
    return;
  }
  const box = map.viewBox.baseVal;
  const step = box.width / 10;
  if (event.key === "+" || event.key === "=") {
    zoom(map, 0.6, ...middle(map));
  } else if (event.key === "-") {
    zoom(map, 1 / 0.6, ...middle(map));
  } else if (event.key === "ArrowLeft") {
    box.x -= step;
  } else if (event.key === "ArrowRight") {
    box.x += step;
  } else if (event.key === "ArrowUp") {
    box.y -= step;
  } else if (event.key === "ArrowDown") {
    box.y += step;
  } else {
    return;
  }
  event.preventDefault();
});

document.addEventListener(
  "wheel",
  (event) => {
    const map = event.target.closest && event.target.closest("#map");
    if (map) {
      event.preventDefault();
      zoom(map, event.deltaY < 0 ? 0.8 : 1.25, ...placeOf(map, event));
    }
  },
  { passive: false },
);

// A reader of the screen hears that the page has changed.
document.addEventListener("htmx:afterSwap", (event) => {
  const input = document.activeElement;
  if (event.target.id === "content" && (!input || input === document.body)) {
    event.target.focus();
  }
});
