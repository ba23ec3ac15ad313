import { join } from 'node:path'
import { PACKAGE_DIR, run } from '../support/run-gt.js'
import { type TestTown, until } from '../support/test-town.js'

/** A terminal of the person's own: another tmux server than the town's. */
export class Terminal {
  constructor(private readonly town: TestTown) {}

  private tmux(...args: string[]) {
    const { TMUX: _, ...env } = this.town.env
    return run('tmux', ['-S', join(this.town.dir, 'person.sock'), '-f', '/dev/null', ...args], {
      cwd: this.town.root,
      env,
    })
  }

  async start(command: string): Promise<void> {
    const line = `PATH='${join(PACKAGE_DIR, 'bin')}':$PATH; ${command}; echo "exit code $?"; exec cat`
    await this.tmux('new-session', '-d', '-x', '150', '-y', '44', '-s', 'person', line)
  }

  async type(...keys: string[]): Promise<void> {
    for (const key of keys) await this.tmux('send-keys', '-t', 'person', key)
  }

  async words(text: string): Promise<void> {
    await this.tmux('send-keys', '-t', 'person', '-l', text)
  }

  async screen(): Promise<string> {
    return (await this.tmux('capture-pane', '-p', '-t', 'person')).stdout
  }

  /** Waits until the screen shows it. */
  async shows(what: RegExp): Promise<string> {
    let last = ''
    try {
      return await until(`${what} on the screen`, async () => {
        last = await this.screen()
        return what.test(last) ? last : undefined
      })
    } catch (error) {
      throw new Error(`${String(error)}\n${last}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tmux('kill-server')
  }
}
