// Types of the data that the server sends; only for type checks, no code.

/**
 * Jobs
 *
 * @typedef {"waiting" | "running" | "done" | "error" | "aborted"} JobState
 * @typedef {JobState | "deleted"} ShownState
 *
 * @typedef {object} Job GET /api/v1/jobs/<id>
 * @property {string} id
 * @property {"dataset" | "model" | "test"} kind
 * @property {string} name
 * @property {JobState} state
 * @property {string} reason
 * @property {string} [waiting_for] The reason why a waiting job has not started.
 * @property {Progress | null} progress
 * @property {JobSummary} summary
 * @property {number} seq The sequence number of the last event that this state contains.
 * @property {number | null} started Seconds since the epoch.
 * @property {Record<string, any>} spec
 *
 * @typedef {object} Progress
 * @property {number} done
 * @property {number | null} total null if unknown.
 * @property {string} unit "pairs", "steps", …
 * @property {number} [rate] Units per second.
 * @property {number | null} [eta] Seconds.
 * @property {Record<string, number>} [pairs] Of a dataset: pairs by split.
 *
 * @typedef {object} JobSummary The result of a job; each kind has other fields.
 * @property {number} [parameters] This field and those up to `test`: only of models.
 * @property {[number, number]} [receptive_field] [height, width]
 * @property {number} [multiply_adds] Per pixel.
 * @property {string} [device]
 * @property {string} [precision]
 * @property {string} [placement]
 * @property {Record<string, any>} [hardware]
 * @property {Record<string, string>} [packages]
 * @property {string | Record<string, string>} [dataset_hash]
 * @property {number} [seconds]
 * @property {Snapshot[]} [snapshots]
 * @property {LayerEvent[]} [layers]
 * @property {TestSplit} [test]
 * @property {VideoFiles} [shown] Of a test of a video, as the fields below.
 * @property {boolean} [sound]
 * @property {number} [width]
 * @property {number} [height]
 *
 * @typedef {{ "test/psnr": number, "test/psnr_input": number, snapshot: string }} TestSplit
 * @typedef {{ input: string, output: string, times: string }} VideoFiles URLs.
 *
 * @typedef {object} SnapshotFile
 * @property {string} snapshot The name.
 * @property {number} epoch
 * @property {number} step
 * @property {number} size Bytes.
 *
 * @typedef {SnapshotFile & Validation} Snapshot
 * @typedef {{
 *   "val/l1"?: number | null,
 *   "val/psnr"?: number | null,
 *   "val/psnr_input"?: number | null,
 *   "val/psnr_y"?: number | null,
 *   "val/ssim"?: number | null,
 * }} Validation The scores of a validation; null where they are infinite.
 *
 * @typedef {object} RunRecord GET /api/v1/jobs/<id>/record
 * @property {string} command
 * @property {Record<string, any>} spec
 * @property {RecordFacts} facts
 *
 * @typedef {object} RecordFacts
 * @property {string} [device]
 * @property {string} [precision]
 * @property {{ processor: string, cores: number, memory: number, system: string }} [hardware]
 * @property {Record<string, string>} [packages]
 * @property {string | Record<string, string>} [dataset_hash]
 *
 * @typedef {object} ExportFile
 * @property {string} name
 * @property {string} snapshot
 * @property {number} size Bytes.
 * @property {string} url
 */

/**
 * Events of a job's log; docs/events.md describes their fields.
 *
 * @typedef {{ seq: number, time: number }} EventBase `time` in seconds since the epoch.
 * @typedef {{ type: "state", state: JobState, reason: string, summary?: JobSummary }} StateFields
 * @typedef {EventBase & StateFields} StateEvent
 * @typedef {EventBase & Progress & { type: "progress" }} ProgressEvent
 * @typedef {Record<string, number | null>} Scalars
 * @typedef {{ step: number, epoch: number, scalars: Scalars }} ScalarsFields
 * @typedef {EventBase & ScalarsFields & { type: "scalars" }} ScalarsEvent
 * @typedef {EventBase & JobSummary & { type: "facts", layers_of?: LayersRegion }} FactsEvent
 * @typedef {EventBase & Hardware & { type: "hardware" }} HardwareEvent
 * @typedef {EventBase & { type: "removed", snapshots: string[] }} RemovedEvent
 * @typedef {EventBase & { type: "resumed", step: number }} ResumedEvent
 * @typedef {{ name: string, size: number, removed?: string[] }} SnapshotFields
 * @typedef {EventBase & ScalarsFields & SnapshotFields & { type: "snapshot" }} SnapshotEvent
 * @typedef {EventBase & LayerFields & { type: "layer" }} LayerEvent
 * @typedef {EventBase & SampleFields & { type: "sample" }} SampleEvent
 * @typedef {EventBase & { type: "results", rows: unknown[] }} ResultsEvent
 * @typedef {EventBase & { type: "skipped", name: string, why: string }} SkippedEvent
 * @typedef {EventBase & { type: "message", level: string, text: string }} LogMessageEvent
 *
 * @typedef {StateEvent | ProgressEvent | ScalarsEvent | FactsEvent | HardwareEvent | RemovedEvent
 *   | ResumedEvent | SnapshotEvent | LayerEvent | SampleEvent | ResultsEvent | SkippedEvent
 *   | LogMessageEvent} JobEvent
 *
 * @typedef {object} Hardware
 * @property {number} cpu Percent; 100 per core.
 * @property {number} cores
 * @property {number} rss Bytes of memory.
 * @property {Gpu[]} gpus
 *
 * @typedef {object} Gpu
 * @property {number | null} [utilisation] Percent.
 * @property {number | null} [memory_used] Bytes.
 * @property {number | null} [memory_total] Bytes.
 * @property {number | null} [temperature] Degrees Celsius.
 *
 * @typedef {object} SampleFields One image: of a test, or of a validation during a training.
 * @property {string} input URL, as `output` and `target`.
 * @property {string} output
 * @property {string | null} target null without ground truth.
 * @property {number | null} psnr_input null if the images are equal, or without ground truth.
 * @property {number | null} psnr_output
 * @property {number | null} [ssim_input]
 * @property {number | null} [ssim_output]
 * @property {number} width
 * @property {number} height
 * @property {string} [snapshot] Of a test.
 * @property {number} [seconds] Of a test.
 * @property {number} index This field and those below: only of trainings.
 * @property {number} pair
 * @property {number} step
 * @property {number} epoch
 */

/**
 * Layers
 *
 * @typedef {object} LayersRegion The middle of an image, if the layers of all of it are too large.
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} height
 * @property {number} bytes Memory that the layers of the whole image would need.
 *
 * @typedef {object} Histogram
 * @property {number[]} counts
 * @property {number[]} edges One more than counts.
 *
 * @typedef {object} Statistics
 * @property {number} mean
 * @property {number} std
 * @property {number} min
 * @property {number} max
 * @property {number} zero_share
 * @property {number} [not_finite] The number of values that are not finite.
 * @property {Histogram} histogram
 *
 * @typedef {object} TilePage A picture that contains tiles of one size, in rows.
 * @property {string} picture URL.
 * @property {number} count Tiles.
 * @property {number} columns Tiles in a row.
 * @property {number} width Of a tile, in pixels.
 * @property {number} height Of a tile, in pixels.
 *
 * @typedef {TilePage & { first: number }} ChannelPage `first`: the channel of the first tile.
 * @typedef {TilePage & { outputs: [number, number], inputs: [number, number] }} KernelPage
 *   Channels as [first, count].
 * @typedef {Statistics & { shape: number[], pages: KernelPage[] }} LayerWeights
 *
 * @typedef {object} ChannelRanges By channel.
 * @property {number[]} low
 * @property {number[]} high
 * @property {number[]} dead The channels that are zero everywhere.
 *
 * @typedef {object} LayerOnly
 * @property {number} index
 * @property {string} name
 * @property {string} layer_type
 * @property {number} parameters
 * @property {[number, number, number]} shape [channels, height, width]
 * @property {[number, number] | null} field Receptive field, [height, width]; null if unknown.
 * @property {number} [step] Of a training.
 * @property {ChannelRanges} channels
 * @property {ChannelPage[]} pages
 * @property {LayerWeights | null} weights
 *
 * @typedef {LayerOnly & Statistics} LayerFields
 * @typedef {LayerFields & { version?: string }} Layer `version` is appended to the pictures' URLs.
 *
 * @typedef {object} ChannelResult GET /api/v1/tests/<id>/layers/<index>/channels/<channel>
 * @property {string} picture URL.
 * @property {number} low
 * @property {number} high
 * @property {number} mean
 * @property {number} std
 * @property {number} zero_share
 * @property {[number, number] | null} field
 * @property {StrongestPlace[]} strongest
 *
 * @typedef {object} StrongestPlace
 * @property {number} value
 * @property {number} x
 * @property {number} y
 * @property {Box | null} sees The part of the input in its receptive field.
 *
 * @typedef {{ left: number, top: number, width: number, height: number }} Box
 * @typedef {{ width: number, height: number }} Size
 * @typedef {{ x: number, y: number }} Point
 */

/**
 * Curves
 *
 * @typedef {"step" | "epoch" | "time"} AxisName
 *
 * @typedef {object} Series The points of a curve, as columns of equal length.
 * @property {number[]} step
 * @property {number[]} epoch
 * @property {number[]} time Seconds since the epoch, or since a start.
 * @property {number[]} value
 *
 * @typedef {Record<string, Series>} SeriesByKey
 * @typedef {{ series: SeriesByKey, seq: number }} ScalarsResponse GET /api/v1/jobs/<id>/scalars
 *
 * @typedef {object} Losses The points of a sparkline.
 * @property {number} seen Losses so far.
 * @property {number} every Each how many-th of them is kept.
 * @property {number[]} values
 */

/**
 * Forms
 *
 * @typedef {object} GraphLayer
 * @property {string} name
 * @property {string} words The kind of layer, such as "Conv 9x9".
 * @property {string[]} inputs Names of layers, or of the graph's input.
 * @property {string} shape
 * @property {number} parameters
 *
 * @typedef {object} PreviewNetwork
 * @property {GraphLayer[]} layers
 * @property {number} channels
 * @property {number} parameters
 * @property {[number, number]} receptive_field [rows, columns]
 * @property {number} multiply_adds
 * @property {boolean} identity
 * @property {string} paper
 *
 * @typedef {object} PreviewRate
 * @property {number[]} points The learning rate, at equal distances over the run.
 * @property {number | null} dead_at The share of the run from which it is under 1 % of its base.
 * @property {string} [warning]
 * @property {string} [note]
 *
 * @typedef {object} Preview POST /api/v1/models/preview
 * @property {PreviewNetwork | null} network
 * @property {string[]} notes
 * @property {PreviewRate | null} rate
 * @property {number | null} steps
 * @property {number | null} steps_an_epoch
 * @property {number | null} patches_an_epoch
 * @property {number | null} seconds
 * @property {number} jobs
 * @property {Record<string, string>} problems Messages by the name of the field.
 * @property {Record<string, number>} lines Line numbers of problems in code, by field.
 *
 * @typedef {object} Probe POST /api/v1/probe
 * @property {string[]} problems
 * @property {string[]} warnings
 * @property {{ name: string, why: string }[]} skipped
 * @property {ProbeSequence[]} sequences
 * @property {number} [frames]
 * @property {number} [originals]
 * @property {string} [target_size]
 * @property {{ input: string, target: string, psnr?: number | null }} [first]
 * @property {Alignment} [alignment]
 * @property {{ pairs: number, bytes: number, seconds: number }} [estimate]
 * @property {number | null} [free] Bytes on the disk.
 * @property {{ name: string, psnr: number | null, bytes_a_frame: number }[]} [rates]
 *
 * @typedef {object} ProbeSequence
 * @property {string} name
 * @property {VideoFacts | null} [input]
 * @property {number} [inputs]
 * @property {VideoFacts | null} [original]
 * @property {number} originals
 *
 * @typedef {object} VideoFacts
 * @property {string} codec
 * @property {string} profile
 * @property {number} width
 * @property {number} height
 * @property {string} pixel_format
 * @property {string} colour
 * @property {number | null} frame_rate
 * @property {number | null} bit_rate
 * @property {string} [rate]
 *
 * @typedef {object} Alignment
 * @property {number[]} offsets
 * @property {(number | null)[]} psnr By offset.
 * @property {number} best
 * @property {number} frames
 * @property {boolean} whole Whether all frames were compared.
 *
 * @typedef {object} Pair Of GET /api/v1/datasets/<id>/pairs
 * @property {number} number
 * @property {string} input URL.
 * @property {number | null} psnr_input null if input and target are equal.
 * @property {string} [sequence]
 * @property {number} frame
 *
 * @typedef {{ pairs: Pair[], pages: number, total: number }} PairPage
 *
 * @typedef {object} FolderEntry
 * @property {string} name
 * @property {string} path
 * @property {"folder" | "file"} type
 * @property {string} kind
 * @property {number | null} [size] Bytes.
 * @property {number | null} [modified] Seconds since the epoch.
 *
 * @typedef {object} Folder GET /api/v1/files?path=
 * @property {string | null} path null for the list of roots.
 * @property {string[]} roots
 * @property {FolderEntry[]} entries
 * @property {number} left_out The number of entries that are not listed.
 */

export {};
