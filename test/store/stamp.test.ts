import { describe, expect, it } from 'vitest'
import { isStamp, MAX_LEAD_MS, nextStamp, stampMs } from '../../src/store/stamp.js'

const NOW = Date.parse('2026-11-20T09:36:20.238Z')
const base = { nowMs: NOW, greatest: '', floor: '', clone: 'k7f3q', random: 'fh5b2x' }

function at(ms: number, counter = '0000'): string {
  return `${new Date(ms).toISOString()}-${counter}-aaaaa-zzzzzz`
}

describe('nextStamp', () => {
  it('says now', () => {
    expect(nextStamp(base)).toBe('2026-11-20T09:36:20.238Z-0000-k7f3q-fh5b2x')
    expect(isStamp(nextStamp(base))).toBe(true)
  })

  it('counts on when the clock stands still or ran back', () => {
    expect(nextStamp({ ...base, greatest: at(NOW, '000f') })).toBe(
      '2026-11-20T09:36:20.238Z-0010-k7f3q-fh5b2x',
    )
    const later = at(NOW + 60_000)
    expect(nextStamp({ ...base, greatest: later }) > later).toBe(true)
  })

  it('goes to the next millisecond when the counter is full', () => {
    const full = at(NOW, 'ffff')
    const stamp = nextStamp({ ...base, greatest: full })
    expect(stamp > full).toBe(true)
    expect(stampMs(stamp)).toBe(NOW + 1)
  })

  it('does not follow a stamp further ahead than the limit', () => {
    expect(stampMs(nextStamp({ ...base, greatest: at(NOW + MAX_LEAD_MS + 1000) }))).toBe(NOW)
    expect(stampMs(nextStamp({ ...base, greatest: at(NOW + MAX_LEAD_MS - 1000) }))).toBe(
      NOW + MAX_LEAD_MS - 1000,
    )
  })

  it('exceeds the registers it overwrites, however far ahead they are', () => {
    const floor = at(Date.parse('2099-01-01T00:00:00.000Z'))
    expect(nextStamp({ ...base, floor }) > floor).toBe(true)
  })
})
