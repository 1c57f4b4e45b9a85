// Colours for numbers: perceptually uniform maps, computed. Equal steps of the number are equal distances in OKLab
// (Björn Ottosson, "A perceptual color space for image processing", 2020, https://bottosson.github.io/posts/oklab/).
// Tables are 256 pixels as a canvas holds them: 0xAABBGGRR.

const FINE = 4096;

/** From near black over violet and red to pale yellow: lightness rises all the way, hue goes once around the warm side. */
export const SEQUENTIAL = table(evenly(256, (t) => polar(0.12 + 0.85 * t, 0.06 + 0.115 * Math.sin(Math.PI * t), 275 + 190 * t)));

/** About zero, which is the entry 128: blue below, orange above, the lighter the nearer to it. The entry 0 is as 1. */
export const DIVERGING = table([...arm(255).reverse(), ...arm(45).slice(1)]);

function arm(hue) {
  const steps = evenly(128, (t) => polar(0.97 - 0.57 * t, 0.14 * Math.sin(0.75 * Math.PI * t), hue));
  return hue === 255 ? [...steps, steps.at(-1)] : steps;
}

function polar(lightness, chroma, hue) {
  const angle = (hue * Math.PI) / 180;
  return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
}

/** So many points of a curve from t = 0 to 1, all equally far from their neighbours. */
function evenly(count, curve) {
  const points = Array.from({ length: FINE + 1 }, (_, index) => curve(index / FINE));
  const along = [0];
  for (let at = 1; at <= FINE; at += 1) along.push(along[at - 1] + Math.hypot(...points[at].map((value, axis) => value - points[at - 1][axis])));
  let at = 0;
  return Array.from({ length: count }, (_, index) => {
    const wanted = (along[FINE] * index) / (count - 1);
    while (at < FINE && along[at] < wanted) at += 1;
    return points[at];
  });
}

function table(colours) {
  return Uint32Array.from(colours, (colour) => {
    const [red, green, blue] = srgb(colour);
    return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

/** [L, a, b] as red, green and blue in 0 to 255. */
function srgb([lightness, a, b]) {
  const [l, m, s] = [lightness + 0.3963377774 * a + 0.2158037573 * b, lightness - 0.1055613458 * a - 0.0638541728 * b, lightness - 0.0894841775 * a - 1.291485548 * b].map((root) => root ** 3);
  const linear = [4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s, -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s];
  return linear.map((value) => Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055)));
}

/** Red, green and blue of an entry of a table. */
export const channelsOf = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];

/** The colours of grey values that stand for the numbers from `low` to `high`, on a scale from `from` to `to`. */
export function onScale(colours, [low, high], [from, to]) {
  if (low === from && high === to) return colours;
  const span = to - from || 1;
  return Uint32Array.from({ length: 256 }, (_, gray) => colours[Math.max(0, Math.min(255, Math.round((255 * (low + ((high - low) * gray) / 255 - from)) / span)))]);
}

/** The scale as CSS draws it, from the left to the right. */
export function gradient(colours, stops = 32) {
  const parts = Array.from({ length: stops + 1 }, (_, index) => `rgb(${channelsOf(colours[Math.round((255 * index) / stops)]).join(" ")})`);
  return `linear-gradient(to right, ${parts.join(", ")})`;
}
