// Enhancements: a chart of the table, and numbers that refresh. The page is complete without scripts.
const chart = document.getElementById("chart");
const REFRESH_MS = 5000;
let plot;

function draw() {
  const rows = [...document.querySelectorAll("#series tbody tr")];
  const heads = [...document.querySelectorAll("#series thead th")].slice(1).map((head) => head.textContent);
  const names = rows.map((row) => row.cells[0].textContent);
  const columns = heads.map((_, number) => rows.map((row) => Number(row.cells[number + 1].dataset.n)));
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const separator = document.querySelector("access-counter").getAttribute("separator") ?? ",";
  const write = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, separator);
  const axis = { stroke: color("soft"), grid: { stroke: color("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  plot?.destroy();
  chart.replaceChildren();
  if (!rows.length) return;
  plot = new uPlot({
    width: chart.clientWidth || chart.parentElement.clientWidth,
    height: 290,
    padding: [12, 22, 0, 0],
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(high * 1.08, 5)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 90, incrs: [1, 2, 3, 4, 6, 7, 8, 12, 14], values: (_, at) => at.map((place) => names[place] ?? "") },
      { ...axis, size: 62, incrs: [1, 2, 5].flatMap((one) => [...Array(10).keys()].map((zeros) => one * 10 ** zeros)).sort((a, b) => a - b),
        values: (_, at) => at.map(write) },
    ],
    hooks: { draw: [({ ctx, bbox, valToPos }) => rows.forEach((row, place) => { // buckets of which visitors were taken out
      if (!("marked" in row.dataset)) return;
      const x = Math.round(valToPos(place, "x", true));
      ctx.save();
      Object.assign(ctx, { strokeStyle: axis.stroke, fillStyle: axis.stroke, lineWidth: devicePixelRatio, textAlign: "left", font: `${12 * devicePixelRatio}px system-ui` });
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillText("†", x + 3 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
      ctx.restore();
    })] },
    series: [
      { label: document.querySelector("#series thead th").textContent, value: (_, place) => names[place ?? rows.length - 1] },
      ...["views", "visits", "visitors"].map((name, number) => ({
        label: heads[number], stroke: color(name), width: 2, fill: number ? undefined : `${color(name)}1f`,
        points: { show: rows.length < 40, size: 5, fill: color(name) },
        value: (_, value) => write(value ?? columns[number].at(-1)), // without the pointer: the newest
      })),
    ],
  }, [names.map((_, place) => place), ...columns], chart);
}

// Fetch the page again and replace all numbers, so that they are of one moment: none while one of them contains the
// focus or the selection, and none if the answer is older than what is shown.
async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => undefined);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const moment = (page) => Date.parse(page.querySelector("#as-of time")?.dateTime);
  if (!(moment(fresh) > moment(document))) return;
  const parts = [...document.querySelectorAll("[data-live]")];
  const selection = getSelection();
  if (parts.some((part) => part.contains(document.activeElement) || (!selection.isCollapsed && selection.containsNode(part, true)))) return;
  const rows = document.getElementById("series").innerHTML;
  for (const part of parts) {
    const newer = fresh.getElementById(part.id);
    if (newer && newer.innerHTML !== part.innerHTML) part.replaceWith(document.importNode(newer, true));
  }
  if (document.getElementById("series").innerHTML !== rows) draw();
}

draw();
new ResizeObserver(() => plot?.setSize({ width: chart.clientWidth, height: 290 })).observe(chart.parentElement);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
setInterval(refresh, REFRESH_MS);
