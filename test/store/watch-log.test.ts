import { describe, expect, it } from 'vitest'
import { tempStore, transact } from './support/temp-store.js'

describe('watch', () => {
  it('calls back after an append by another process or ledger, until it is stopped', async () => {
    await using store = await tempStore()
    const watching = store.open()
    const writing = store.open()
    let seen = () => {}
    const next = () => new Promise<void>((resolve) => (seen = resolve))
    let calls = 0
    const stop = watching.watch(() => {
      calls++
      seen()
    })
    try {
      const first = next()
      transact(writing, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
      await first
      expect(watching.read().get('x')).toBeDefined()
      const second = next()
      transact(writing, () => [{ o: 'say', id: 'x', x: 'hello' }])
      await second
      expect(watching.read().comments('x')).toHaveLength(1)
    } finally {
      stop()
    }
    const before = calls
    transact(writing, () => [{ o: 'say', id: 'x', x: 'unseen' }])
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(calls).toBe(before)
  })
})
