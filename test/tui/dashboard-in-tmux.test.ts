import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { widest } from './fake-terminal.js'

const run = promisify(execFile)

test('in a real pane: draws, resizes, gives the terminal away whole, and restores it', {
  timeout: 30_000,
}, async () => {
  await using pane = await openPane()
  const first = await pane.shows('Agents (10)')
  expect(first).toContain('▌◐ waiting  proj/toast')
  expect(first).not.toContain('before the dashboard')
  expect(await pane.ask('#{alternate_on} #{cursor_flag}')).toBe('1 0')

  await pane.tmux('resize-window', '-t', 'dash', '-x', '160', '-y', '48')
  const wide = await pane.shows('┬─ proj/toast')
  expect(widest(wide.trimEnd().split('\n'))).toBe(160)
  await pane.tmux('resize-window', '-t', 'dash', '-x', '60', '-y', '16')
  await pane.shows((screen) => /^gastown /.test(screen) && /\n↵ attach .* q quit\n$/.test(screen))
  expect((await pane.shows('↓ 3')).split('\n')).toHaveLength(17)

  await pane.keys('Down', 'Space')
  await pane.shows('─ infra/dag ─')
  await pane.keys('i')
  await pane.shows('reply to infra/dag')
  await pane.tmux('send-keys', '-t', 'dash', '-l', 'zür Ürsache 漢字 🚀')
  await pane.keys('Left', 'BSpace', 'Enter')
  await pane.shows('accepted by infra/dag: zür Ürsache 漢字🚀')
  await pane.keys('Escape')
  await pane.shows('Agents (10)')

  await pane.keys('Enter')
  await pane.shows('in front of infra/dag')
  expect(await pane.ask('#{alternate_on} #{cursor_flag}')).toBe('0 1')
  await pane.tmux('send-keys', '-t', 'dash', '-l', 'every letter')
  await pane.keys('Enter')
  await pane.shows('heard every letter')
  await pane.keys('Enter')
  await pane.shows('▌✕ failed   infra/dag')
  await pane.keys('j')
  await pane.shows('▌⟳ starting proj/cheedo')

  await pane.keys('q')
  const after = await pane.shows('modes: ')
  expect(after).toMatch(/^before the dashboard\n/)
  expect(after).toContain('left with quit')
  expect(after).not.toContain('Agents (10)')
  expect(after).toMatch(/exit code 0\nmodes: icanon echo end\n/)
  expect(await pane.ask('#{alternate_on} #{cursor_flag} #{wrap_flag}')).toBe('0 1 1')
})

interface Pane extends AsyncDisposable {
  tmux(...args: string[]): Promise<string>
  keys(...keys: string[]): Promise<void>
  ask(format: string): Promise<string>
  shows(wanted: string | ((screen: string) => boolean)): Promise<string>
}

/** The bundled harness in a tmux of its own; server, programs and files are gone afterwards. */
async function openPane(): Promise<Pane> {
  const dir = await mkdtemp(join(tmpdir(), 'gt-tui-'))
  await bundleHarness(dir)
  await writeFile(
    join(dir, 'run.sh'),
    `echo 'before the dashboard'
"${process.execPath}" "${dir}/harness.mjs"
echo "exit code $?"
echo "modes: $(stty -a | tr ' ;' '\\n\\n' | grep -xE -- '-?(icanon|echo)' | tr '\\n' ' ')end"
read wait
`,
  )
  const env = { PATH: process.env.PATH, HOME: dir, TMPDIR: dir, LC_ALL: 'C.UTF-8', TERM: 'xterm-256color' }
  const tmux = async (...args: string[]) =>
    (await run('tmux', ['-f', '/dev/null', '-S', join(dir, 's'), ...args], { env })).stdout
  await tmux('new-session', '-d', '-s', 'dash', '-x', '100', '-y', '30', `sh ${dir}/run.sh`)
  const serverPid = Number(await tmux('display-message', '-p', '-t', 'dash', '#{pid}'))
  const capture = () => tmux('capture-pane', '-p', '-t', 'dash')
  return {
    tmux,
    keys: async (...keys) => void (await tmux('send-keys', '-t', 'dash', ...keys)),
    ask: async (format) => (await tmux('display-message', '-p', '-t', 'dash', format)).trim(),
    shows: (wanted) =>
      until(
        capture,
        typeof wanted === 'string' ? (screen) => screen.includes(wanted) : wanted,
        String(wanted),
      ),
    async [Symbol.asyncDispose]() {
      await tmux('kill-server').catch(() => '')
      await until(
        async () => (isAlive(serverPid) ? 'alive' : 'gone'),
        (state) => state === 'gone',
        'end of the tmux server',
      )
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function bundleHarness(dir: string): Promise<void> {
  const nothing = join(dir, 'nothing.mjs')
  await writeFile(nothing, 'export default {}')
  await build({
    entryPoints: [new URL('./harness.ts', import.meta.url).pathname],
    outfile: join(dir, 'harness.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    alias: { 'react-devtools-core': nothing },
    define: { 'process.env.NODE_ENV': '"production"' },
    banner: { js: "import{createRequire}from'module';const require=createRequire(import.meta.url);" },
    logLevel: 'silent',
  })
}

async function until(
  read: () => Promise<string>,
  isThere: (text: string) => boolean,
  what: string,
): Promise<string> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const text = await read()
    if (isThere(text)) return text
    if (Date.now() > deadline) throw new Error(`never seen: ${what}\n${text}`)
    await sleep(30)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
