/** Chooses the point of a picture that its crops keep: by a click, or by the arrow keys. */

import { ask, el } from "../dom.js";
import { t } from "../texts.js";

const STEP = 0.02;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const clamped = (value) => Math.round(1000 * Math.min(1, Math.max(0, value))) / 1000;

/** Return {point: {x, y} or null}, or null if it was cancelled. */
export async function askFocus(image) {
  let point = image.focus ?? { x: 0.5, y: 0.5 };
  const dot = el("span", { class: "focus-dot" });
  const shown = (image.renditions ?? []).filter((one) => one.width >= 640)[0]?.url ?? image.url;
  const place = () => {
    dot.style.left = `${100 * point.x}%`;
    dot.style.top = `${100 * point.y}%`;
    area.setAttribute("aria-valuetext", `${Math.round(100 * point.x)} %, ${Math.round(100 * point.y)} %`);
  };
  const move = (x, y) => {
    point = { x: clamped(x), y: clamped(y) };
    place();
  };
  const area = el(
    "div",
    {
      class: "focus-area",
      tabindex: "0",
      role: "slider",
      "aria-label": t("focus"),
      "aria-valuenow": "0",
      onclick: (event) => {
        const box = area.getBoundingClientRect();
        move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      },
      onkeydown: (event) => {
        const [x, y] = KEYS[event.key] ?? [];
        if (x === undefined) return;
        event.preventDefault();
        move(point.x + x * STEP, point.y + y * STEP);
      },
    },
    el("img", { src: shown, alt: image.alt }),
    dot,
  );
  place();
  const answer = await ask(t("focus"), [el("p", {}, t("focus_help")), area], () => ({ point }), {
    submit: t("apply"),
    cancel: t("cancel"),
    buttons: [{ name: "middle", text: t("focus_middle") }],
    className: "wide",
  });
  return answer?.button === "middle" ? { point: null } : answer;
}
