// A loss in the height of a line of text: where it came from, and whether it still falls.

const MOST = 60;
const WIDTH = 96;
const HEIGHT = 20;

/** One more value; thinned as in jobs/core/view.py. */
export function withLoss({ seen, every, values }, value) {
  seen += 1;
  if (seen % every === 0) values = [...values, value];
  if (values.length > MOST) [every, values] = [2 * every, values.filter((_, at) => at % 2)];
  return { seen, every, values };
}

/** Draw the losses into an SVG element, the last one at the right. */
export function drawLosses(svg, { values }) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const across = (at) => 1 + ((WIDTH - 2) * at) / Math.max(values.length - 1, 1);
  const down = (value) => HEIGHT - 2 - ((HEIGHT - 4) * (value - low)) / (high - low || 1);
  const points = values.map((value, at) => `${across(at).toFixed(1)},${down(value).toFixed(1)}`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points.join(" "));
  svg.replaceChildren(...(values.length > 1 ? [line] : []));
}
