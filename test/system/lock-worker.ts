// Takes the lock again and again; each time it reads a counter, waits, and writes it back. "hold": takes it and stays.
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { withFileLock } from '../../src/system/file-lock.js'

const [lock = '', counter = '', rounds = ''] = process.argv.slice(2)
if (rounds === 'hold') {
  await withFileLock(lock, { timeoutMs: 10_000, purpose: 'holding on' }, async () => {
    process.stdout.write('held\n')
    await sleep(1_000_000)
  })
}
for (let round = 0; round < Number(rounds); round++) {
  await withFileLock(lock, { timeoutMs: 30_000 }, async () => {
    const value = Number(readFileSync(counter, 'utf8'))
    await sleep(1)
    writeFileSync(counter, String(value + 1))
  })
}
