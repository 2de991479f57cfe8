"""How a page looks, in numbers: overflow, layout shift, and the highest empty area of its content."""

from dataclasses import dataclass

from playwright.sync_api import Page

OBSERVE_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((one) => shifts.push([one.value, one.startTime,
  one.sources.map((at) => at.node && (at.node.className || at.node.nodeName)).join(" ")])))
  .observe({ type: "layout-shift", buffered: true });
"""
MEASURE = """
() => {
  const main = document.querySelector("main"), box = main.getBoundingClientRect(), cell = 8, top = box.top + scrollY;
  const columns = Math.floor(box.width / cell), ink = [];
  const cellOf = (pixels) => Math.max(0, Math.floor(pixels / cell));
  const isSeen = (element) => element.checkVisibility({ checkVisibilityCSS: true }) && !element.closest(".unseen");
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    let block = node.parentElement;
    if (!node.data.trim() || !isSeen(block)) continue;
    while (getComputedStyle(block).display.startsWith("inline")) block = block.parentElement;
    const { left, right } = block.getBoundingClientRect(), range = document.createRange();
    range.selectNodeContents(node);
    for (const line of range.getClientRects()) if (line.width) ink.push([left, right, line.top, line.bottom]);
  }
  for (const one of main.querySelectorAll("img, svg, input, button, select, .ink"))
    if (isSeen(one)) { const at = one.getBoundingClientRect(); ink.push([at.left, at.right, at.top, at.bottom]); }
  const end = Math.max(0, ...ink.map((one) => one[3])) + scrollY, rows = Math.max(0, Math.ceil((end - top) / cell));
  const filled = Array.from({ length: rows }, () => new Uint8Array(columns));
  for (const [left, right, from, to] of ink)
    for (let y = cellOf(from + scrollY - top); y < Math.min(rows, (to + scrollY - top) / cell); y++)
      for (let x = cellOf(left - box.left); x < Math.min(columns, (right - box.left) / cell); x++) filled[y][x] = 1;
  const wide = Math.max(1, Math.floor(Math.min(240, box.width * 0.4) / cell)), heights = new Uint16Array(columns);
  let hole = { height: 0 };
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) heights[x] = filled[y][x] ? 0 : heights[x] + 1;
    for (let x = 0; x + wide <= columns; x++) {
      let lowest = heights[x];
      for (let along = 1; lowest > hole.height && along < wide; along++) lowest = Math.min(lowest, heights[x + along]);
      if (lowest > hole.height) hole = { height: lowest, x: x * cell, y: (y - lowest + 1) * cell + top };
    }
  }
  const { scrollWidth, scrollHeight } = document.documentElement;
  return { overflow: scrollWidth - innerWidth, hole: hole.height * cell, at: [hole.x, hole.y], height: scrollHeight,
    masthead: document.querySelector(".masthead").offsetHeight,
    shift: shifts.reduce((sum, one) => sum + one[0], 0), shifts };
}
"""


@dataclass(frozen=True)
class Layout:
    """What was measured, in CSS pixels."""

    overflow: int
    """How much wider the page is than the screen."""
    hole: int
    """Height of the highest empty area that is as wide as a column."""
    hole_at: tuple[float, float]
    shift: float
    """Cumulative layout shift."""
    shifts: list[object]
    masthead: int
    height: int


def measure(page: Page) -> Layout:
    """Measure a page that was opened with OBSERVE_SHIFTS as an init script."""
    found = page.evaluate(MEASURE)
    return Layout(
        found["overflow"],
        found["hole"],
        tuple(found["at"]),
        round(found["shift"], 4),
        found["shifts"],
        found["masthead"],
        found["height"],
    )
