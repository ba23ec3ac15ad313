import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { byteLength, clip, composePrime, type PrimeMaterial } from '../../src/domain/prime.js'
import { PACKAGE_DIR } from '../support/run-gt.js'
import { aBead, aMail, aMerge, anAgent } from './make.js'

const roleText = readFileSync(join(PACKAGE_DIR, 'templates/roles/polecat.md'), 'utf8')
const LIMIT = 6_144

function material(fields: Partial<PrimeMaterial> = {}): PrimeMaterial {
  return {
    agent: anAgent(),
    roleText,
    bead: aBead(),
    blockers: [],
    comments: [],
    unread: [],
    target: 'main',
    compacted: false,
    ...fields,
  }
}

/** What must be in it whatever the sizes are. */
function expectWhole(text: string): void {
  expect(byteLength(text)).toBeLessThanOrEqual(LIMIT)
  expect(missing(text)).toEqual([])
  expect(text.includes('\uFFFD')).toBe(false)
}

function missing(text: string): string[] {
  return [
    '# gt: you are proj/toast (polecat)',
    '## Your bead: issue-1 · ',
    'branch gt/toast/issue-1 (lands on main)',
    'Work only in this worktree',
    '## Commands',
    '`gt done` when everything is committed',
    '`gt mail check`',
  ].filter((part) => !text.includes(part))
}

const HUGE = 100_000
const SCRIPTS = {
  ascii: 'x',
  'two bytes': 'ü',
  'three bytes': '漢',
  'four bytes': '🙂',
  words: 'lorem ipsum ',
  lines: '\n',
}

describe('prime', () => {
  it('holds everything when it is small', () => {
    const text = composePrime(
      material({
        comments: [{ at: '', by: 'human', text: 'mind the rounding' }],
        unread: [aMail()],
        agent: anAgent({ handoff: 'half done' }),
        lastMerge: aMerge({ status: 'returned', reason: 'gate red', evidence: 'exit 1' }),
        blockers: [aBead({ shownId: 'issue-0' })],
      }),
      LIMIT,
    )
    expectWhole(text)
    for (const part of [
      'They are wrong.',
      'mind the rounding',
      'm-1 from human: hello',
      'half done',
      'gate red',
      'exit 1',
      'Waits for: issue-0',
    ])
      expect(text).toContain(part)
  })

  it.each(Object.entries(SCRIPTS))('stays below the limit with everything huge, in %s', (_name, unit) => {
    const big = unit.repeat(Math.ceil(HUGE / unit.length))
    const text = composePrime(
      material({
        agent: anAgent({ handoff: big }),
        bead: aBead({ title: big, description: big }),
        comments: Array.from({ length: 200 }, () => ({ at: '', by: 'human', text: big })),
        unread: Array.from({ length: 500 }, (_, i) => aMail({ shownId: `m-${i}`, subject: big, body: big })),
        lastMerge: aMerge({ status: 'returned', reason: big, evidence: big }),
        blockers: Array.from({ length: 300 }, (_, i) => aBead({ shownId: `blocker-with-a-long-name-${i}` })),
        compacted: true,
      }),
      LIMIT,
    )
    expectWhole(text)
    expect(text).toContain('Unread mail (500)')
  })

  it.each(['title', 'description', 'comments', 'mail', 'handoff', 'evidence', 'reason', 'blockers'])(
    'stays below the limit with a huge %s alone',
    (which) => {
      const big = '漢字 '.repeat(30_000)
      const text = composePrime(
        material({
          agent: anAgent(which === 'handoff' ? { handoff: big } : {}),
          bead: aBead(
            which === 'title' ? { title: big } : which === 'description' ? { description: big } : {},
          ),
          comments:
            which === 'comments'
              ? Array.from({ length: 50 }, () => ({ at: '', by: 'human', text: big }))
              : [],
          unread: which === 'mail' ? Array.from({ length: 500 }, () => aMail({ subject: big })) : [],
          lastMerge: aMerge({
            status: 'returned',
            ...(which === 'evidence' ? { evidence: big } : {}),
            ...(which === 'reason' ? { reason: big } : {}),
          }),
          blockers:
            which === 'blockers'
              ? Array.from({ length: 2_000 }, () => aBead({ shownId: 'proj-abcdefgh' }))
              : [],
        }),
        LIMIT,
      )
      expectWhole(text)
    },
  )

  it('keeps what matters with a role text that is too long by itself', () => {
    const text = composePrime(material({ roleText: 'role '.repeat(20_000) }), LIMIT)
    expect(byteLength(text)).toBeLessThanOrEqual(LIMIT)
    expect(text).toContain('# gt: you are proj/toast (polecat)')
    expect(text).toContain('## Your bead: issue-1')
    expect(text).toContain('## Commands')
  })

  it('obeys the least limit that town.toml allows', () => {
    const text = composePrime(material(), 1_024)
    expect(byteLength(text)).toBeLessThanOrEqual(1_024)
    expect(text).toContain('# gt: you are proj/toast')
    expect(text).toContain('## Your bead: issue-1')
    expect(text).toContain('## Commands')
  })

  it('says that the hook is empty', () => {
    const { bead: _, ...rest } = material()
    const text = composePrime(rest, LIMIT)
    expect(text).toContain('Your hook is empty')
    expect(text).not.toContain('gt done` when')
  })
})

describe('clip', () => {
  it('cuts between characters and never exceeds the bytes', () => {
    for (let bytes = 3; bytes < 40; bytes++) {
      const cut = clip('aé漢🙂'.repeat(5), bytes)
      expect(byteLength(cut)).toBeLessThanOrEqual(bytes)
      expect(cut).not.toContain('\uFFFD')
    }
    expect(clip('short', 5)).toBe('short')
  })

  it('names where the rest is', () => {
    expect(clip('x'.repeat(100), 60, 'gt bead show b')).toMatch(/^x+… \(cut; all of it: `gt bead show b`\)$/)
  })
})
