// Zooms and moves the map of movies. Everything else on the pages works without a script.
"use strict";

const LEAST_SHARE = 0.03;
const CLICK_DISTANCE = 4;

// The width of the whole map, which the attribute of the page gives.
function wholeWidth(map) {
  map.dataset.width ||= String(map.viewBox.baseVal.width);
  return Number(map.dataset.width);
}

function zoom(map, factor, x, y) {
  const box = map.viewBox.baseVal;
  const whole = wholeWidth(map);
  const share = Math.min(whole, Math.max(LEAST_SHARE * whole, box.width * factor)) / box.width;
  box.x = x - (x - box.x) * share;
  box.y = y - (y - box.y) * share;
  box.width *= share;
  box.height *= share;
  // Points and titles grow less than the map, so that neighbours part.
  const scale = (box.width / whole) ** 0.8;
  for (const circle of map.querySelectorAll("circle")) {
    circle.setAttribute("r", String(Number(circle.dataset.r) * scale));
  }
  for (const name of map.querySelectorAll("text")) {
    name.setAttribute("font-size", String(0.035 * scale));
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

// Where a drag of the map began: the place on the map, and the place on the screen.
let drag = null;

document.addEventListener("pointerdown", (event) => {
  const map = event.target.closest("#map");
  drag = map && { map, place: placeOf(map, event), from: [event.clientX, event.clientY], moved: false };
});

document.addEventListener("pointermove", (event) => {
  if (!drag || !event.buttons) {
    return;
  }
  drag.moved ||= Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) > CLICK_DISTANCE;
  if (drag.moved) {
    const [x, y] = placeOf(drag.map, event);
    drag.map.viewBox.baseVal.x += drag.place[0] - x;
    drag.map.viewBox.baseVal.y += drag.place[1] - y;
  }
});

// A drag that begins or ends on a point is no click on the point.
document.addEventListener(
  "click",
  (event) => {
    if (drag && drag.moved && event.target.closest("#map")) {
      event.preventDefault();
    }
    drag = null;
  },
  true,
);

document.addEventListener("dragstart", (event) => {
  if (event.target.closest("#map")) {
    event.preventDefault();
  }
});

// A reader of the screen hears that the page has changed.
document.addEventListener("htmx:afterSwap", (event) => {
  const input = document.activeElement;
  if (event.target.id === "content" && (!input || input === document.body)) {
    event.target.focus();
  }
});
