import { describe, expect, it } from 'vitest'
import { isStamp, MAX_LEAD_MS, nextStamp, stampHorizon, stampMs, stampTime } from '../../src/store/stamp.js'
import { Seeded } from './support/seeded.js'

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

describe('stamps of many clones with clocks that drift and jump', () => {
  it('follow each other, are never twice, and sort as text like they sort in time', () => {
    const random = new Seeded(1)
    const all: string[] = []
    const clones = ['aaaaa', 'bbbbb', 'zzzzz'].map((clone) => ({ clone, greatest: '', skewMs: 0 }))
    for (let step = 0; step < 20_000; step++) {
      const writer = random.pick(clones)
      if (random.chance(0.01)) writer.skewMs = random.below(20_000) - 10_000
      if (random.chance(0.001)) writer.skewMs = Date.parse('2099-01-01T00:00:00.000Z') - NOW
      const nowMs = NOW + Math.floor(step / 7) + writer.skewMs
      const floor = random.chance(0.1) ? random.pick(all.length > 0 ? all : ['']) : ''
      const { clone, greatest } = writer
      const stamp = nextStamp({ nowMs, greatest, floor, clone, random: random.text(6) })
      expect(isStamp(stamp)).toBe(true)
      expect(stamp > floor && stampMs(stamp) >= nowMs, stamp).toBe(true)
      const isNear = greatest <= stampHorizon(nowMs)
      if (isNear) expect(stamp > greatest, `${stamp} after ${greatest}`).toBe(true)
      if (floor <= stampHorizon(nowMs)) expect(stampMs(stamp) - nowMs).toBeLessThanOrEqual(MAX_LEAD_MS + 1)
      writer.greatest = isNear && greatest > stamp ? greatest : stamp
      // Others hear of it, sooner or later.
      const hearer = random.pick(clones)
      if (stamp > hearer.greatest) hearer.greatest = stamp
      all.push(stamp)
    }
    expect(new Set(all).size).toBe(all.length)
    const asText = [...all].sort()
    const inTime = [...all].sort((a, b) => stampMs(a) - stampMs(b) || (a < b ? -1 : 1))
    expect(asText).toEqual(inTime)
    expect(stampTime(asText.at(-1) ?? '').startsWith('2099')).toBe(true)
  })
})
