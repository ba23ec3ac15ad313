/**
 * gt inside an agent's opencode: gives the model its context (prime), brings mail, and tells gt what the session does.
 * It knows gt only as a program (`gt prime`, `gt mail check`, `gt report`), and runs inside opencode (Bun), so it
 * imports no package. One call of GasTown per directory; all state is per session. Written against opencode 1.18.33.
 */
import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, statSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @typedef {import('@opencode-ai/sdk').OpencodeClient} Client */
/** @typedef {{ id: string, ready: Promise<void>, parent?: string, agent?: string, said?: string, prime?: Promise<string>,
 *   compacting?: boolean, compacted?: boolean, checking?: boolean, again?: boolean, mailFailures: number }} Session */

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const agentFile = () => (process.env.GT_AGENT ?? '').replaceAll('/', '_')

/** @param {{ client: Client, directory: string }} input */
export const GasTown = async ({ client, directory }) => {
  const { GT_TOWN, GT_AGENT, GT_SESSION_ID, GT_CONVERSATION, GT_OPENCODE_MODE, GT_TARGET_BRANCH } =
    process.env
  // GT_SESSION_ID is set for tools only: an opencode started by an agent's tool is not that agent and must not eat its mail.
  if (!GT_TOWN || !GT_AGENT || GT_SESSION_ID) return {}
  globalThis.gastownDirectories ??= new Set()
  if (globalThis.gastownDirectories.has(directory)) return {}
  globalThis.gastownDirectories.add(directory)

  const gt = (args, options) => runGt(directory, args, options)
  const reporter = createReporter(gt)
  const { report, problem, solved } = reporter
  /** @type {Map<string, Session>} */
  const sessions = new Map()
  /** User messages on their way into the store: message id → their texts. */
  const arriving = new Map()
  const counted = new Set()
  /** Mail that no user message has shown yet: text → its session, and what to call when it is shown. */
  const undelivered = new Map()
  const mailChecks = new Set()
  /** The session a person would see: the one that was active last. @type {Session | undefined} */
  let current
  let disposed = false

  /** @returns {Session} what is known of a session; await its `ready` before asking for `parent` */
  const sessionOf = (id, info) => {
    const known = sessions.get(id)
    if (known) return known
    /** @type {Session} */
    const session = { id, mailFailures: 0, ready: Promise.resolve() }
    sessions.set(id, session)
    const found =
      info ?? client.session.get({ path: { id }, query: { directory } }).then((answer) => answer.data)
    session.ready = Promise.resolve(found)
      .catch(() => undefined)
      .then((facts) => {
        session.parent = facts?.parentID
        if (session.parent) return
        current = session
        report('session.started', { session: id, directory, resumed: info === undefined })
      })
    return session
  }
  /** Reports of a subagent carry the session that gt knows. */
  const whose = (session) =>
    session.parent
      ? { session: session.parent, child: true, childSession: session.id }
      : { session: session.id }

  const prime = (session) => {
    const compact = session.compacted || session.compacting ? ['--compact'] : []
    const args = ['prime', '--hook', ...compact, '--session-id', session.id]
    return gt(args, { session: session.id, timeoutMs: 10_000 }).then(
      (text) => {
        solved('prime')
        return text.trim()
      },
      (error) => {
        problem('prime', error, session.id)
        return ''
      },
    )
  }

  const forgetPrime = (session) => {
    session.compacted = true
    session.compacting = false
    session.prime = undefined
  }

  const checkMail = (session) => {
    // `opencode run` ends at idle: mail fetched there would be lost.
    if (session.parent || disposed || GT_OPENCODE_MODE === 'run') return
    session.again = session.checking === true
    if (session.checking) return
    session.checking = true
    const check = fetchMail(session).finally(() => {
      mailChecks.delete(check)
      session.checking = false
      if (session.again && session.said === 'idle') checkMail(session)
    })
    mailChecks.add(check)
  }
  const fetchMail = async (session) => {
    try {
      const text = await gt(['mail', 'check', '--inject', '--session-id', session.id], {
        session: session.id,
      })
      session.mailFailures = 0
      solved('mail')
      if (text.trim() !== '') await deliver(session, text.trim())
    } catch (error) {
      problem('mail', error, session.id)
      session.mailFailures += 1
      if (session.mailFailures <= 3) setTimeout(() => checkMail(session), 5_000).unref?.()
    }
  }

  /** gt hands each mail out once, so from here on it is ours to bring in: until it is seen, or put down in a file. */
  const deliver = async (session, text) => {
    let reason = 'the session did not take it'
    let seen = false
    const arrived = new Promise((resolve) => {
      const show = () => {
        seen = true
        resolve(undefined)
      }
      undelivered.set(text, { session: session.id, show })
    })
    for (let attempt = 1; attempt <= 3 && !disposed && !seen; attempt++) {
      try {
        // The agent is not sticky, and one that no longer exists makes the prompt vanish: the last try goes without.
        const agent = attempt < 3 && session.agent ? { agent: session.agent } : {}
        const body = { ...agent, parts: [{ type: 'text', text }] }
        const answer = await client.session.promptAsync({
          path: { id: session.id },
          query: { directory },
          body,
        })
        if (answer.error)
          throw new Error(`opencode refused it: ${JSON.stringify(answer.error).slice(0, 200)}`)
        await Promise.race([arrived, pause(5_000 * attempt)])
        if (seen || (await isStored(session.id, text))) return void undelivered.delete(text)
      } catch (error) {
        reason = messageOf(error)
        await Promise.race([arrived, pause(1_000 * attempt)])
      }
    }
    if (undelivered.delete(text) && !seen) putDown(session.id, text, reason)
  }
  const isStored = async (id, text) => {
    const { data } = await client.session.messages({ path: { id }, query: { directory, limit: 20 } })
    return (data ?? []).some(
      (message) => message.info.role === 'user' && textsOf(message.parts).includes(text),
    )
  }
  const putDown = (session, text, reason) => {
    const file = writeRunFile('undelivered-mail', `${agentFile()}-${Date.now()}.txt`, `${text}\n`)
    report('plugin.error', {
      session,
      where: 'mail',
      message: `mail was not delivered: ${reason}`,
      file,
      text,
    })
  }

  const say = (session, state, data = {}) => {
    if (session.said === state && state !== 'retry') return
    session.said = state
    if (!session.parent) report(`session.${state}`, { session: session.id, ...data })
    if (state === 'idle') session.compacting = false
    if (state === 'idle' && !session.parent) checkMail(session)
  }

  const onEvent = {
    'session.created': () => {}, // Looking it up has reported it.
    'session.deleted': (session) => void sessions.delete(session.id),
    'session.idle': (session) => say(session, 'idle'),
    'session.status': (session, { status }) => {
      if (status.type === 'busy' && !session.parent) current = session
      say(session, status.type, status.type === 'retry' ? { message: status.message, next: status.next } : {})
    },
    'session.error': (session, { error }) => {
      const data = { name: error?.name ?? 'Error', message: error?.data?.message ?? '' }
      if (!session.parent) report('session.error', { session: session.id, ...data })
    },
    'session.compacted': (session) => forgetPrime(session),
    'message.updated': (session, { info }) => {
      const texts = arriving.get(info.id)
      if (info.role === 'user' && texts) {
        arriving.delete(info.id)
        for (const part of texts) undelivered.get(part)?.show()
        const text = texts.join('\n')
        const receipt = /\[gt:([a-z0-9]+)\]/.exec(text)?.[1]
        if (!session.parent)
          report('message.seen', { session: session.id, text: text.slice(0, 200), receipt })
      }
      // A subagent's tokens cost money too: they are counted for the session it works for.
      if (info.role !== 'assistant' || !info.time.completed || counted.has(info.id)) return
      counted.add(info.id)
      const { input, output, reasoning, cache } = info.tokens
      const tokens = { input, output, reasoning, cacheRead: cache.read, cacheWrite: cache.write }
      const model = `${info.providerID}/${info.modelID}`
      report('usage', { ...whose(session), messageID: info.id, model, tokens, cost: info.cost })
    },
    'permission.asked': (session, { id, permission, patterns }) =>
      report('permission.asked', { ...whose(session), id, permission, patterns }),
    'permission.replied': (session, { requestID, reply }) =>
      report('permission.replied', { ...whose(session), id: requestID, reply }),
    'question.asked': (session, { id, questions }) =>
      report('question.asked', {
        ...whose(session),
        id,
        questions: questions?.map((asked) => asked.question),
      }),
    'question.replied': (session, { requestID }) =>
      report('question.replied', { ...whose(session), id: requestID }),
  }
  const handle = async ({ type, properties }) => {
    const id = properties.sessionID ?? properties.info?.sessionID
    if (!id && type === 'session.error')
      problem('opencode', properties.error?.data?.message ?? 'unknown error')
    if (!id || (type === 'session.deleted' && !sessions.has(id))) return
    const session = sessionOf(id, type === 'session.created' ? properties.info : undefined)
    await session.ready
    onEvent[type](session, properties)
  }
  /** Events one after another, so that reports keep their order although a session may have to be looked up first. */
  let events = Promise.resolve()
  const safe = (where, hook) => async (input, output) => {
    try {
      await hook(input, output)
    } catch (error) {
      problem(where, error, input?.sessionID)
    }
  }
  const handleSafely = safe('event', handle)

  const stopWatching = watchBell(() => {
    if (current?.said === 'idle') checkMail(current)
  }, problem)
  report('plugin.loaded', {
    version: /gastown-(\w+)\.js/.exec(import.meta.url)?.[1] ?? 'unpacked',
    directory,
  })
  // A resumed conversation shows no event until someone speaks. Later, because opencode cannot answer during this call.
  if (/^ses_\w+$/.test(GT_CONVERSATION ?? '')) {
    setTimeout(() => {
      if (sessions.has(GT_CONVERSATION)) return
      events = events.then(() =>
        handleSafely({ type: 'session.idle', properties: { sessionID: GT_CONVERSATION } }),
      )
    }, 100)
  }

  return {
    // Not awaited by the one who sends them: a slow lookup must not hold up opencode.
    event: async ({ event }) => {
      if (!Object.hasOwn(onEvent, event.type)) return
      events = events.then(() => handleSafely(event))
    },
    'chat.message': safe('chat.message', (input, { message, parts }) => {
      const session = sessionOf(input.sessionID)
      session.agent = message.agent ?? session.agent
      const texts = textsOf(parts)
      if (texts.length > 0) arriving.set(message.id, texts)
    }),
    'experimental.chat.system.transform': safe('system', async (input, { system }) => {
      if (!input.sessionID || system[0]?.startsWith('You are a title generator')) return
      const session = sessionOf(input.sessionID)
      await session.ready
      if (session.parent) return
      // This is the call that writes the summary: its prompt holds the context already. The next one needs a fresh prime.
      if (session.compacting) return forgetPrime(session)
      session.prime ??= prime(session)
      const text = await session.prime
      if (text === '') session.prime = undefined
      else system.push(text)
    }),
    'experimental.session.compacting': safe('compacting', async (input, { context }) => {
      const session = sessionOf(input.sessionID)
      await session.ready
      if (session.parent) return
      session.compacting = true
      const text = await prime(session)
      if (text !== '') context.push(text)
    }),
    'shell.env': safe('shell.env', async (input, { env }) => {
      for (const [name, value] of Object.entries(process.env)) if (name.startsWith('GT_')) env[name] = value
      if (input.sessionID) {
        const session = sessionOf(input.sessionID)
        await session.ready
        env.GT_SESSION_ID = whose(session).session
      }
      env.OPENCODE_SERVER_PASSWORD = ''
    }),
    'tool.execute.before': async (input, output) => {
      const refusal = { text: undefined }
      await safe('guard', () => {
        if (input.tool === 'bash')
          refusal.text = refusalOf(output.args?.command ?? '', GT_TARGET_BRANCH, directory)
      })(input, output)
      if (refusal.text) throw new Error(refusal.text) // How opencode is told to refuse a tool call.
    },
    dispose: safe('dispose', async () => {
      disposed = true
      stopWatching()
      globalThis.gastownDirectories.delete(directory)
      await Promise.race([events, pause(1_000)])
      await Promise.race([Promise.all(mailChecks), pause(1_000)])
      for (const [text, { session }] of undelivered) putDown(session, text, 'opencode was closed')
      undelivered.clear()
      await Promise.race([reporter.drain(), pause(4_000)])
    }),
  }
}

const messageOf = (error) => (error instanceof Error ? error.message : String(error))
const textsOf = (parts) =>
  parts.flatMap((part) => (part.type === 'text' && !part.synthetic ? [part.text.trim()] : []))

/** @returns {Promise<string>} what it printed; rejects when it failed, could not be started or took too long */
function runGt(directory, args, { session, input = '', timeoutMs = 20_000 } = {}) {
  return new Promise((resolve, reject) => {
    const env = {
      ...process.env,
      ...(session ? { GT_SESSION_ID: session } : {}),
      OPENCODE_SERVER_PASSWORD: '',
    }
    const child = spawn(process.env.GT_BIN || 'gt', args, { cwd: directory, env, stdio: 'pipe' })
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
      if (code === 0) resolve(printed)
      // With --json its complaint is on standard output.
      else
        reject(
          new Error(
            `gt ${args[0]} ended with ${signal ?? code}: ${complaint.trim() || printed.trim().slice(-400)}`,
          ),
        )
    })
    child.stdin.end(input)
  })
}

/** Hands reports to gt in order, one process at a time, each with all that gathered meanwhile. Never throws. */
function createReporter(gt) {
  const waiting = []
  let working
  const complained = new Map()

  const send = async (batch) => {
    const input = batch.map((line) => `${JSON.stringify(line)}\n`).join('')
    for (const waitMs of [500, 2_000, 0]) {
      try {
        return void (await gt(['report', '--json', '-'], { input }))
      } catch (error) {
        if (waitMs > 0) await pause(waitMs)
        else saveLocally(error, batch)
      }
    }
  }
  const work = async () => {
    await pause(30) // What happens together is sent together.
    while (waiting.length > 0) await send(waiting.splice(0, 200))
    working = undefined
  }
  const report = (type, data = {}) => {
    waiting.push({ type, at: new Date().toISOString(), ...data })
    working ??= work()
    if (waiting.length <= 1_000) return
    waiting.splice(0, 100)
    problem('report', 'gt is too slow or fails: the oldest reports were dropped')
  }
  /** The same complaint is reported once, until it was solved. */
  const problem = (where, error, session) => {
    const message = messageOf(error)
    if (complained.get(where) === message) return
    complained.set(where, message)
    report('plugin.error', { session, where, message })
  }
  const saveLocally = (error, batch) => {
    const failure = {
      type: 'plugin.error',
      at: new Date().toISOString(),
      where: 'report',
      message: messageOf(error),
    }
    const lines = [failure, ...batch].map((line) => `${JSON.stringify(line)}\n`)
    writeRunFile('plugin-errors', `${agentFile()}.jsonl`, lines.join(''), appendFileSync)
  }
  return {
    report,
    problem,
    solved: (where) => complained.delete(where),
    drain: async () => await working,
  }
}

/** @returns {string | undefined} the path, when it could be written */
function writeRunFile(folder, name, text, write = writeFileSync) {
  if (!process.env.GT_RUN_DIR) return undefined
  try {
    const directory = join(process.env.GT_RUN_DIR, folder)
    mkdirSync(directory, { recursive: true })
    write(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  } catch {
    return undefined // Nothing is left to complain to.
  }
}

/** Calls `ring` when `gt mail send` touches this agent's file. No process runs and nothing polls, unless watching fails. */
function watchBell(ring, problem) {
  const folder = process.env.GT_BELL_DIR
  if (!folder) return () => {}
  const timeOf = () => statSync(join(folder, agentFile()), { throwIfNoEntry: false })?.mtimeMs ?? 0
  let last = 0
  const look = () => {
    try {
      const time = timeOf()
      if (time !== last && time !== 0) ring()
      last = time
    } catch (error) {
      problem('bell', error)
    }
  }
  let timer
  let watcher
  const poll = () => {
    watcher?.close()
    timer ??= setInterval(look, 2_000)
    timer.unref?.()
  }
  try {
    mkdirSync(folder, { recursive: true })
    last = timeOf()
    watcher = watch(folder, (_kind, name) => (name === null || name === agentFile() ? look() : undefined))
    watcher.on('error', poll)
    watcher.unref?.()
  } catch {
    poll()
  }
  return () => {
    watcher?.close()
    clearInterval(timer)
  }
}

/**
 * Advice to a model, not a fence: it keeps an honest agent on the one road to the target branch.
 * @returns {string | undefined} why this shell line must not run
 */
function refusalOf(line, target, directory) {
  for (const words of commandsOf(line)) {
    const start = words.findIndex((word) => !/^(\w+=.*|sudo|env|exec|command|time|nohup)$/s.test(word))
    const program = words[start]?.split('/').at(-1) ?? ''
    const script = /^(ba|da|z)?sh$/.test(program) ? words.findIndex((word) => /^-\w*c$/.test(word)) : -1
    const nested = script > 0 ? refusalOf(words[script + 1] ?? '', target, directory) : undefined
    if (nested) return nested
    if (program !== 'git') continue
    let at = start + 1
    while (words[at]?.startsWith('-')) at += /^(-C|-c|--git-dir|--work-tree)$/.test(words[at]) ? 2 : 1
    const [verb, ...rest] = words.slice(at)
    if (verb !== 'push' && verb !== 'commit') continue
    if (
      rest.includes('--no-verify') ||
      (verb === 'commit' && rest.some((word) => /^-[^-mFCct]*n/.test(word)))
    ) {
      return 'gt: the checks are not skipped here. Repair what they complain of, commit, and finish with `gt done`.'
    }
    if (verb === 'push' && target && pushes(rest, target, directory)) {
      return `gt: nobody pushes to ${target}. Commit your work and run \`gt done\`: it hands the branch to the merge queue.`
    }
  }
  return undefined
}

function pushes(args, target, directory) {
  if (args.some((word) => /^--(all|branches|mirror)$/.test(word))) return true
  const refs = args.filter((word) => !word.startsWith('-')).slice(1)
  const git = () =>
    spawnSync('git', ['symbolic-ref', '--short', '-q', 'HEAD'], { cwd: directory, encoding: 'utf8' })
  const current =
    refs.length === 0 || refs.some((ref) => /^(HEAD|@)$/.test(ref)) ? git().stdout?.trim() : undefined
  const targets = refs.map((ref) =>
    ref
      .split(':')
      .at(-1)
      ?.replace(/^\+/, '')
      .replace(/^refs\/heads\//, ''),
  )
  return current === target || targets.includes(target)
}

/** The commands of a shell line, as words without quotes. Here-documents are data and left out. */
function commandsOf(line) {
  const text = line.replace(/<<-?\s*(['"]?)(\w+)\1([^\n]*)\n[\s\S]*?\n\s*\2(?=\n|$)/g, '$3\n')
  const pieces = /'([^']*)'|"((?:\\.|[^"\\])*)"|(\$\(|[;&|()\n`])|(\s+)|(\\.|[^\s;&|()`'"])/gs
  const commands = [[]]
  let word
  const endWord = () => {
    if (word !== undefined) commands.at(-1)?.push(word)
    word = undefined
  }
  for (const [, single, double, operator, space, letter] of text.matchAll(pieces)) {
    if (operator || space) endWord()
    if (operator) commands.push([])
    if (!operator && !space) word = (word ?? '') + (single ?? double ?? letter ?? '')
  }
  endWord()
  return commands
}
