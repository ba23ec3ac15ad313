import { describe, expect, it } from 'vitest'
import type { Agent } from '../../src/domain/agent.js'
import type { Bead } from '../../src/domain/bead.js'
import type { BeadId } from '../../src/domain/ids.js'
import { type ClaimFacts, findLostClaims } from '../../src/domain/lost-claims.js'
import type { Session } from '../../src/domain/session.js'
import { aBead, anAgent, aSession } from './make.js'

function facts(agents: Agent[], beads: Bead[], sessions: Session[] = []): ClaimFacts {
  return {
    agents,
    sessions,
    beads: (key) => beads.find(({ id }) => id === key),
    claimed: beads.filter(({ status }) => status === 'hooked' || status === 'in_review'),
    isHere: (home) => home === undefined || home === 'here0' || home === 'here1',
  }
}

const bead = (fields: Partial<Bead> = {}) => aBead({ id: 'issue-1' as BeadId, status: 'hooked', ...fields })
const here = anAgent({ home: 'here0' })
const toast = here.id

describe('claims that another machine overruled', () => {
  it('are none while bead and agent name each other here, under a former id too, or before there were homes', () => {
    for (const home of ['here0', 'here1', undefined])
      expect(findLostClaims(facts([here], [bead({ assignee: toast, ...(home && { home }) })]))).toEqual([])
    expect(findLostClaims(facts([anAgent()], [bead({ assignee: 'proj/nux' as Agent['id'] })]))).toEqual([])
    const waiting = bead({ assignee: toast, home: 'here0', status: 'in_review' })
    expect(findLostClaims(facts([here], [waiting]))).toEqual([])
  })

  it('are seen when the bead went to another agent, to a namesake, was closed, taken back or is gone', () => {
    const cases: [Bead[], RegExp][] = [
      [
        [bead({ assignee: 'proj/nux' as Agent['id'], home: 'there' })],
        /went to proj\/nux on another machine/,
      ],
      [[bead({ assignee: toast, home: 'there' })], /whose claim came first/],
      [[bead({ assignee: toast, home: 'here0', status: 'closed' })], /was closed on another machine/],
      [[bead({ home: 'here0', status: 'open' })], /taken back/],
      [[], /is gone/],
    ]
    for (const [beads, why] of cases) {
      const [lost, ...others] = findLostClaims(facts([here], beads))
      expect(others).toEqual([])
      expect(lost).toMatchObject({ kind: 'bead', agent: { id: toast } })
      expect(lost?.why).toMatch(why)
    }
  })

  it('leave agents of other machines to those', () => {
    const there = anAgent({ home: 'there' })
    expect(
      findLostClaims(facts([there], [bead({ assignee: 'proj/nux' as Agent['id'], home: 'x' })])),
    ).toEqual([])
  })

  it('include sessions here whose name another machine took first; beads claimed here for them go back', () => {
    const there = anAgent({ home: 'there', hook: 'issue-2' as BeadId })
    const own = bead({ assignee: toast, home: 'here0' })
    const theirs = aBead({ id: 'issue-2' as BeadId, status: 'hooked', assignee: toast, home: 'there' })
    const session = aSession({ agent: toast, home: 'here0' })
    expect(findLostClaims(facts([there], [own, theirs], [session]))).toMatchObject([
      { kind: 'agent', session: { id: session.id }, beads: [{ id: 'issue-1' }] },
    ])
    expect(
      findLostClaims(facts([there], [own, theirs], [aSession({ agent: toast, home: 'there' })])),
    ).toEqual([])
  })
})
