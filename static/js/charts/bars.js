// A histogram as bars, with its range and its highest count written out.
import { svg } from "../base/dom.js";
import { count, decibel } from "../base/format.js";

const [WIDTH, HEIGHT, BOTTOM, TOP] = [640, 190, 24, 20];

/** An SVG of {counts, edges}, edges in dB: how many `things` lie between two of them. What is below zero is marked as a loss. */
function bars({ counts, edges }, things) {
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "bars", role: "img", "aria-label": `${things[0].toUpperCase()}${things.slice(1)} from ${decibel(edges[0])} to ${decibel(edges.at(-1))}` });
  const most = Math.max(...counts);
  const step = WIDTH / counts.length;
  counts.forEach((pairs, index) => {
    const height = ((HEIGHT - BOTTOM - TOP) * pairs) / most;
    const bar = svg("rect", { x: index * step + 1, y: HEIGHT - BOTTOM - height, width: Math.max(step - 2, 1), height, class: edges[index + 1] <= 0 ? "loss" : "" });
    const hint = svg("title", {});
    hint.textContent = `${decibel(edges[index])} to ${decibel(edges[index + 1])}: ${count(pairs)} ${things}`;
    bar.append(hint);
    chart.append(bar);
  });
  const zero = edges.indexOf(0);
  if (zero > 0 && zero < counts.length) chart.append(svg("line", { x1: zero * step, x2: zero * step, y1: 0, y2: HEIGHT - BOTTOM, class: "zero" }));
  chart.append(label(0, "start", decibel(edges[0])), label(WIDTH / 2, "middle", decibel((edges[0] + edges.at(-1)) / 2)), label(WIDTH, "end", decibel(edges.at(-1))));
  const highest = svg("text", { x: counts.indexOf(most) * step + step / 2, y: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) - 3, "text-anchor": counts.indexOf(most) < counts.length / 2 ? "start" : "end" });
  highest.textContent = count(most);
  chart.append(highest);
  return chart;
}

/** Draw the histograms that the page holds as `data-histogram`. */
export function drawHistograms(things) {
  for (const place of document.querySelectorAll("[data-histogram]")) place.replaceChildren(bars(JSON.parse(place.dataset.histogram), things));
}

function label(x, anchor, text) {
  const made = svg("text", { x, y: HEIGHT - 5, "text-anchor": anchor });
  made.textContent = text;
  return made;
}
