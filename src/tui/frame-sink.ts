import { Writable } from 'node:stream'

/**
 * The "terminal" that Ink draws on: hands whole frames to `onFrame`. Ink's own writer is not used because it clears the
 * terminal, scrollback included, for every frame that fills the screen, and writes nothing at all where `CI` is set
 * (seen in Ink 6.8.0). With `debug: true` Ink writes exactly one complete frame per change.
 */
export function frameSink(
  terminal: NodeJS.WriteStream,
  onFrame: (frame: string) => void,
): NodeJS.WriteStream {
  const sink = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      const frame = String(chunk)
      if (frame.trim() !== '') onFrame(frame)
      done()
    },
  })
  Object.defineProperties(sink, {
    columns: { get: () => terminal.columns || 80 },
    rows: { get: () => terminal.rows || 24 },
  })
  // A Writable with columns and rows is all that Ink uses of a terminal when it neither measures nor clears it.
  return sink as unknown as NodeJS.WriteStream
}
