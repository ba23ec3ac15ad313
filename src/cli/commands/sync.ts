import type { SyncReceipt } from '../../app/sync-town.js'
import { defineCommand, textOption } from '../command.js'
import { parseDuration } from '../parse-values.js'
import { plain } from '../table.js'

const TIMEOUT_MS = 120_000

export default defineCommand({
  name: 'sync',
  group: 'town',
  summary: 'exchange beads with the other machines of this town through a git remote',
  about:
    'Sends what is new here, takes in what is new there. Each machine writes a branch of its own (beads/<clone>), so there is ' +
    'nothing to merge. Needed by hand only when you want to be sure: with a remote set, commands do it in the background.',
  options: [
    {
      flags: '--remote <url>',
      about: 'git repository to use from now on: ssh, https or a path (written to town.toml)',
    },
    { flags: '--dry-run', about: 'only say what would be sent and taken in' },
    { flags: '--timeout <duration>', about: 'give up after this long (default 2m)' },
    { flags: '--background', about: 'started by other commands: waits a moment first, and says nothing new' },
  ],
  examples: ['gt sync --remote git@example.org:team/beads.git', 'gt sync', 'gt sync --dry-run --json'],
  // It leaves the store in order itself.
  readsOnly: true,
  async run(context, _args, options) {
    const { exchangeBeads } = await import('../../app/exchange-beads.js')
    const { remoteAddress } = await import('../remote-address.js')
    const town = await context.town()
    const isBackground = options.background === true
    if (isBackground) await town.clock.sleep((await import('../../app/keep-house.js')).EXCHANGE_AFTER_MS)
    const timeoutMs = parseDuration(textOption(options, 'timeout'), '--timeout') ?? TIMEOUT_MS
    const remote = textOption(options, 'remote')
    const { receipt, claims, grown } = await exchangeBeads(town, {
      timeoutMs,
      waitMs: timeoutMs,
      dryRun: options.dryRun === true,
      signal: context.io.signal,
      ...(remote === undefined ? {} : { remote: remoteAddress(remote, context.io.cwd) }),
    })
    return {
      data: { ...receipt, claims, grown },
      text: [
        ...receiptText(receipt),
        ...grown.map((id) => `a bead made here is called ${id} now: its short id was given elsewhere before`),
        ...claims.settled,
        ...claims.waiting.map((line) => `! ${line}`),
      ],
      exitCode: receipt.refused.length + receipt.withheld.length > 0 ? 1 : 0,
    }
  },
})

export function receiptText(receipt: SyncReceipt): string[] {
  const { sent, received, refused, renamed, retired, dryRun, remote } = receipt
  const lines: string[] = []
  if (renamed !== undefined) {
    lines.push(
      `the id ${renamed.from} is in use elsewhere: this machine is ${renamed.to} now, and took ${renamed.records} records along`,
    )
  }
  if (sent.bytes > 0) lines.push(`${dryRun ? 'would send' : 'sent'} ${amount(sent)} to ${remote}`)
  for (const one of received)
    lines.push(`${dryRun ? 'would take in' : 'took in'} ${amount(one)} of ${one.clone}`)
  for (const clone of retired) lines.push(`${clone} was retired: its records are kept by another machine`)
  if (receipt.damagedLines > 0)
    lines.push(`! ${receipt.damagedLines} damaged lines came along; they count for nothing`)
  for (const { clone, why } of refused)
    lines.push(`! nothing of ${plain(clone, 60)} was taken in: ${plain(why, 300)}`)
  if (receipt.withheld.length > 0) lines.push(withheldText(receipt))
  if (receipt.missing.length > 0) lines.push(missingText(receipt))
  return lines.length > 0 ? lines : [`nothing to do: ${remote} and this machine hold the same`]
}

function withheldText({ withheld, remote }: SyncReceipt): string {
  const files = withheld.map((name) => `log/${plain(name, 80)}`).join(', ')
  return `! new records are not on ${remote}: ${files} changed in a part that was sent already (gt doctor --fix, then gt sync)`
}

function missingText({ missing, remote }: SyncReceipt): string {
  const whose = missing.length === 1 ? "one machine's records are" : `${missing.length} machines' records are`
  return `! ${whose} here but not on ${remote}: ${missing.join(', ')}; each sends its own with gt sync, and for one that is gone: gt store retire CLONE`
}

function amount({ records, bytes }: { records: number; bytes: number }): string {
  const size = bytes < 10_240 ? `${bytes} bytes` : `${Math.round(bytes / 1024)} KB`
  return `${records} ${records === 1 ? 'record' : 'records'} (${size})`
}
