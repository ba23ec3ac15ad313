import { PassThrough, Writable } from 'node:stream'
import { cellWidth } from '../../src/tui/cells.js'

/** Just enough of a terminal to read the dashboard back: it knows our escape codes and refuses all others. */
export class FakeTerminal {
  columns: number
  rows: number
  /** Everything ever written. */
  written = ''
  isAlternate = false
  isRaw = false
  readonly stdout: NodeJS.WriteStream
  readonly stdin: NodeJS.ReadStream
  private painted: string[] = []
  private readonly onWrite = new Set<() => void>()

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
    const accept = (chunk: unknown) => this.accept(String(chunk))
    const stdout = new Writable({
      decodeStrings: false,
      write: (chunk, _encoding, done) => {
        accept(chunk)
        done()
      },
    })
    Object.defineProperties(stdout, {
      isTTY: { value: true },
      columns: { get: () => this.columns },
      rows: { get: () => this.rows },
    })
    const stdin = new PassThrough()
    Object.assign(stdin, {
      isTTY: true,
      setRawMode: (isRaw: boolean) => {
        this.isRaw = isRaw
      },
      ref: () => stdin,
      unref: () => stdin,
    })
    // Streams with the parts of a terminal that Ink and the dashboard use.
    this.stdout = stdout as unknown as NodeJS.WriteStream
    this.stdin = stdin as unknown as NodeJS.ReadStream
  }

  /** Lines as shown, colours included, trailing blanks cut. */
  get paintedLines(): readonly string[] {
    return this.painted
  }

  /** Lines as shown, without attributes. */
  get lines(): string[] {
    return Array.from({ length: this.rows }, (_, row) => plain(this.painted[row] ?? '').trimEnd())
  }

  get text(): string {
    return this.lines.join('\n')
  }

  type(keys: string): void {
    ;(this.stdin as unknown as PassThrough).write(keys)
  }

  resize(columns: number, rows: number): void {
    this.columns = columns
    this.rows = rows
    this.painted = []
    this.stdout.emit('resize')
  }

  /** Resolves when the screen shows `wanted`; a time-out prints the screen. */
  async shows(wanted: string | ((screen: string) => boolean)): Promise<string> {
    const matches = () => (typeof wanted === 'string' ? this.text.includes(wanted) : wanted(this.text))
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(
        () => end(() => reject(new Error(`never shown: ${wanted}\n${this.text}`))),
        5_000,
      )
      const check = () => {
        if (matches()) end(() => resolve(this.text))
      }
      const end = (settle: () => void) => {
        clearTimeout(deadline)
        this.onWrite.delete(check)
        settle()
      }
      this.onWrite.add(check)
      check()
    })
  }

  private accept(chunk: string): void {
    this.written += chunk
    for (const match of chunk.matchAll(
      /\u001b\[\?(\d+)([hl])|\u001b\[2J|\u001b\[(\d+);1H((?:\u001b\[[0-9;]*[mKG]|[^\u001b])*)|\u001b\[0m/g,
    )) {
      const [sequence, mode, onOff, row, line] = match
      if (mode === '1049') this.isAlternate = onOff === 'h'
      if (sequence === '\u001b[2J') this.painted = []
      if (row !== undefined) this.painted[Number(row) - 1] = (line ?? '').replace(/\u001b\[(?:2K|\d+G)/g, '')
    }
    for (const check of [...this.onWrite]) check()
  }
}

/** @throws when anything but colours and plain characters is in the line */
function plain(line: string): string {
  const text = line.replace(/\u001b\[[0-9;]*m/g, '')
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text))
    throw new Error(`control characters in ${JSON.stringify(line)}`)
  return text
}

export function widest(lines: readonly string[]): number {
  return Math.max(...lines.map(cellWidth))
}
