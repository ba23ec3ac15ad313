/** The machine we run on: processes, programs, small files beside the store. Nothing here is a source of truth. */
export interface Host {
  /** This process, so that others can tell later whether it still lives: `pid:startTime`. */
  readonly processToken: string
  /** What this machine is called, for people. */
  readonly machineName: string
  /** @returns `unknown` when it could not be found out: then nobody acts on it */
  isProcessAlive(token: string): boolean | 'unknown'
  /** Absolute path of a program on `path` (a PATH value); undefined when absent. A name with a slash is checked as it is. */
  findProgram(name: string, path: string): string | undefined
  /** Starts gt itself in the background, detached, output to a log file of the town. */
  startInBackground(args: readonly string[], logName: string): Promise<void>
  /** Version of the Node that runs gt, without the `v`. */
  readonly nodeVersion: string
  /**
   * Asks a program something and reads its answer; no shell, no input.
   * @returns `absent` when it is not on PATH; `silent` when it did not end within `timeoutMs`, and was ended
   */
  ask(argv: readonly string[], options: { timeoutMs: number; cwd?: string }): Promise<Answer>
  /** Runs one shell line to its end; its whole process tree is gone on return. */
  runShell(request: ShellRequest): Promise<ShellResult>
  /**
   * Runs a program without a shell, in the caller's environment; any exit code is an answer.
   * @throws ExternalError code `missing-binary`; TimeoutError
   */
  runProgram(argv: readonly string[], options: { cwd: string; timeoutMs: number }): Promise<ProgramResult>
  /** Ends what still runs of shell lines that carry this mark in their environment. @returns how many had to be ended */
  endMarked(mark: string): Promise<number>
  /** Runs `work` while holding a named lock of this town. @returns `busy` when another live process holds it for longer than `waitMs` */
  withLock<T>(
    name: string,
    waitMs: number,
    work: () => Promise<T>,
  ): Promise<{ kind: 'done'; value: T } | { kind: 'busy'; by: string }>
  /** True for one caller per period, of all processes of this town (nearly: a tie is harmless to whom this matters). */
  isDue(name: string, periodMs: number): boolean
  writeFile(path: string, text: string): void
  /** undefined when absent */
  readFile(path: string): string | undefined
  /** undefined when absent or not readable */
  readBytes(path: string): Uint8Array | undefined
  /** Flushed to disk. */
  writeBytes(path: string, bytes: Uint8Array): void
  /** Read piece by piece; undefined when it is no readable file. */
  fingerprint(path: string): FileFingerprint | undefined
  /** Names in a folder, sorted; folders end in `/`. undefined when it cannot be read */
  listFolder(path: string): string[] | undefined
  removeFile(path: string): void
  exists(path: string): boolean
  /** Whether a folder is there and not empty. */
  holdsFiles(path: string): boolean
  /** Tells a waiting session that there is mail (a touch of a file it watches). Best effort: mail is in the store anyway. */
  ringBell(agent: string): void
}

export interface FileFingerprint {
  sizeBytes: number
  sha256: string
}

export type Answer =
  | { kind: 'said'; exitCode: number; stdout: string; stderr: string }
  | { kind: 'absent' }
  | { kind: 'silent' }

export interface ShellRequest {
  line: string
  cwd: string
  env: Readonly<Record<string, string>>
  timeoutMs: number
  /** All output goes here. */
  logFile: string
}

export interface ProgramResult {
  exitCode: number
  stdout: string
  stderr: string
}

export interface ShellResult {
  /** undefined when a signal or the time-out ended it. */
  exitCode?: number
  signal?: string
  timedOut: boolean
  durationMs: number
  /** Last 4 KB of its output. */
  tail: string
}
