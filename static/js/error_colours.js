// Colours of errors: from black over violet and orange to pale yellow, lightness rising evenly (OKLab, Björn Ottosson).

/** [lightness, chroma, hue in degrees] along the scale. */
const STOPS = [
  [0.08, 0.0, 290],
  [0.3, 0.13, 300],
  [0.52, 0.19, 365],
  [0.74, 0.16, 420],
  [0.96, 0.07, 465],
];

/** Red, green and blue of 256 colours, one after the other. */
export const errorColours = new Uint8ClampedArray(
  Array.from({ length: 256 }, (_, index) => {
    const place = (index / 255) * (STOPS.length - 1);
    const from = Math.min(Math.floor(place), STOPS.length - 2);
    const [lightness, chroma, hue] = STOPS[from].map((value, part) => value + (place - from) * (STOPS[from + 1][part] - value));
    return srgb(lightness, chroma * Math.cos((hue * Math.PI) / 180), chroma * Math.sin((hue * Math.PI) / 180));
  }).flat(),
);

function srgb(lightness, a, b) {
  const [l, m, s] = [lightness + 0.3963377774 * a + 0.2158037573 * b, lightness - 0.1055613458 * a - 0.0638541728 * b, lightness - 0.0894841775 * a - 1.291485548 * b].map((root) => root ** 3);
  const linear = [4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s, -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s];
  return linear.map((value) => 255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
}
