// Pictures and videos from the person's disk, as this browser decodes them.
import { context2d, element } from "../base/dom.js";

const OPAQUE = 255;

/**
 * The pixels of an image file as they are stored, turned as its EXIF data says.
 * @param {File} file
 * @returns {Promise<CanvasRenderingContext2D>}
 */
export async function pictureIn(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(
      `This browser cannot read ${file.name} as a picture. ` +
        "Choose a PNG, JPEG or WebP file, or use Test one.",
    );
  }
  const { width, height } = bitmap;
  const context = canvasOf(width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  for (let at = 3; at < data.length; at += 4)
    if (data[at] !== OPAQUE)
      throw new Error(
        `${file.name} has transparent pixels. Flatten the image first: the network needs ` +
          "opaque colours.",
      );
  return context;
}

/**
 * A video at its first frame.
 * @param {File} file
 * @param {AbortSignal} signal Ends it.
 * @returns {Promise<HTMLVideoElement>}
 */
export async function videoIn(file, signal) {
  const url = URL.createObjectURL(file);
  const video = element("video", {
    src: url,
    controls: true,
    playsinline: true,
    preload: "auto",
    "aria-label": file.name,
  });
  video.muted = true; // The attribute only mutes videos that are in the page's HTML.
  signal.addEventListener("abort", () => {
    video.pause();
    URL.revokeObjectURL(url);
  });
  await new Promise((resolve, reject) => {
    const refuse = () =>
      reject(
        new Error(
          `This browser cannot play ${file.name}. ` +
            "Convert it to H.264 in MP4 or VP9 in WebM, or use Test one.",
        ),
      );
    video.addEventListener("loadeddata", () => (video.videoWidth ? resolve(video) : refuse()));
    video.addEventListener("error", refuse);
  });
  if (!("requestVideoFrameCallback" in video))
    throw new Error("This browser does not report the frames of a video. Use its newest version.");
  return video;
}

/**
 * @param {number} width
 * @param {number} height
 */
export const canvasOf = (width, height) =>
  context2d(Object.assign(document.createElement("canvas"), { width, height }), {
    willReadFrequently: true,
  });

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Promise<Blob>}
 */
export const pngOf = (canvas) =>
  new Promise((resolve, reject) =>
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new Error("The browser cannot write a PNG of this size.")),
    ),
  );
