import { spawn } from 'node:child_process'

/**
 * Runs gt as the agent of `identity`, never as whoever started opencode.
 * @param {{ identity: import('./identity.js').Identity, directory: string, session?: string, input?: string,
 *   timeoutMs?: number }} caller
 * @param {readonly string[]} args
 * @returns {Promise<string>} what it printed; rejects when it failed, could not be started or took too long
 */
export function runGt({ identity, directory, session, input = '', timeoutMs = 20_000 }, args) {
  return new Promise((resolve, reject) => {
    const env = environmentOf(identity, session)
    const child = spawn(identity.env.GT_BIN || 'gt', args, { cwd: directory, env, stdio: 'pipe' })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    let printed = ''
    let complaint = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      complaint = (complaint + text).slice(-400)
    })
    child.stdin.on('error', () => {}) // It ended before it read all: its exit code says why.
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) return resolve(printed)
      // With --json its complaint is on standard output.
      const said = complaint.trim() || printed.trim().slice(-400)
      reject(new Error(`gt ${args[0]} ended with ${signal ?? code}: ${said}`))
    })
    child.stdin.end(input)
  })
}

/** The environment of opencode with the agent's own over it: of another agent or of the server nothing is left. */
function environmentOf(identity, session) {
  const env = { ...process.env }
  for (const name of Object.keys(env)) if (name.startsWith('GT_')) delete env[name]
  delete env.OPENCODE_SERVER_PASSWORD
  return { ...env, ...identity.env, ...(session ? { GT_SESSION_ID: session } : {}) }
}

/** @returns {string} */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error))
/** @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
