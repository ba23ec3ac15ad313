import { describe, expect, it } from 'vitest'
import { decodeRecord, encodeRecord, type LogOp, salvageLine } from '../../src/store/record-line.js'
import { crc32, hex32, nativeCrc32 } from '../../src/system/crc32.js'

const T = '2026-11-20T09:36:20.238Z-0000-k7f3q-fh5b2x'
const T2 = '2026-11-20T09:36:21.238Z-0000-k7f3q-aaaaaa'

function line(t: string, ...ops: LogOp[]): Buffer {
  return encodeRecord(t, 'proj/toast', ops)
}

function decode(bytes: Buffer) {
  return decodeRecord(bytes, 0, bytes.length)
}

const first = line(T, { o: 'set', id: 'x', f: { title: 'Zeile\n„zwei“ \u2028 \ud83d\ude00 \ud800' } })
const second = line(T2, { o: 'ev', type: 'a', data: { t: { t: 'x' }, c: 'deadbeef' } })
const body = first.subarray(0, -1)
const body2 = second.subarray(0, -1)

describe('a line', () => {
  it('is one line of JSON with the stamp first and the checksum last', () => {
    expect(first.indexOf(10)).toBe(first.length - 1)
    expect(body.toString()).toMatch(/^\{"t":"2026[\s\S]*,"c":"[0-9a-f]{8}"\}$/)
    const { c, ...rest } = JSON.parse(body.toString())
    expect(hex32(crc32(Buffer.from(JSON.stringify(rest))))).toBe(c)
  })

  it('comes back as it was written', () => {
    expect(decode(body)?.ops).toEqual([
      { o: 'set', id: 'x', f: { title: 'Zeile\n„zwei“ \u2028 \ud83d\ude00 \ud800' } },
    ])
    expect(decode(body2)).toMatchObject({ t: T2, by: 'proj/toast' })
  })

  it('is refused when any one byte differs', () => {
    for (let i = 0; i < body.length; i++) {
      const damaged = Buffer.from(body)
      damaged[i] = (damaged[i] ?? 0) ^ 1
      expect(decode(damaged), `byte ${i}`).toBeUndefined()
    }
  })

  it('is refused when cut at any place', () => {
    for (let length = 0; length < body.length; length++)
      expect(decode(body.subarray(0, length))).toBeUndefined()
  })

  it('is refused with a stamp of another form', () => {
    expect(decode(line('2026-11-20', { o: 'seal' }).subarray(0, -1))).toBeUndefined()
    expect(decode(line(`${T}x`, { o: 'seal' }).subarray(0, -1))).toBeUndefined()
  })
})

describe('salvage', () => {
  it('finds a good record behind a torn one, wherever that was cut', () => {
    for (let length = 1; length < body.length; length++) {
      const glued = Buffer.concat([body.subarray(0, length), body2])
      const found = salvageLine(glued, 0, glued.length)
      expect(
        found.records.map(({ t }) => t),
        `cut at ${length}`,
      ).toEqual([T2])
      expect(found).toMatchObject({ torn: 1, bad: 0, endsGood: true })
    }
  })

  it('finds both when only the newline between them is missing', () => {
    const glued = Buffer.concat([body, body2])
    expect(salvageLine(glued, 0, glued.length).records.map(({ t }) => t)).toEqual([T, T2])
  })

  it('finds a good record before a torn one, even when less than its start was written', () => {
    for (let length = 1; length < body2.length; length++) {
      const glued = Buffer.concat([body, body2.subarray(0, length)])
      const found = salvageLine(glued, 0, glued.length)
      expect(
        found.records.map(({ t }) => t),
        `cut at ${length}`,
      ).toEqual([T])
      expect(found.endsGood).toBe(false)
      expect(found.torn + found.bad).toBe(1)
    }
  })

  it('calls a whole line with a wrong checksum bad, not torn', () => {
    const damaged = Buffer.from(body)
    damaged[60] = 0x58
    expect(salvageLine(damaged, 0, damaged.length)).toMatchObject({ records: [], torn: 0, bad: 1 })
  })
})

describe('crc32', () => {
  it('is the usual one, by table and by native code, in pieces and at once', () => {
    expect(hex32(crc32(Buffer.from('123456789')))).toBe('cbf43926')
    const bytes = Buffer.from(Array.from({ length: 1001 }, (_, i) => (i * 7 + (i >> 3)) & 255))
    for (const cut of [0, 1, 2, 3, 4, 5, 500, 1001]) {
      expect(crc32(bytes, cut, bytes.length, crc32(bytes, 0, cut))).toBe(nativeCrc32()(bytes))
    }
  })
})
