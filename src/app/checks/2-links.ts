import { agentFrom } from '../../domain/agent.js'
import { type Bead, beadFrom } from '../../domain/bead.js'
import { dependencyParts } from '../../domain/dependency.js'
import type { Finding } from '../../domain/finding.js'
import type { View } from '../../ports/ledger.js'
import { defineCheck } from '../check.js'

/** What refers to what: hooks, claims and dependencies. */
export default defineCheck({
  group: 'beads',
  async run({ town }) {
    if (town === undefined) return []
    const view = town.ledger.read()
    const beads = view.list({ kind: 'bead' }).map(beadFrom)
    const findings = [...checkHooks(view, beads), ...checkDependencies(view, beads)]
    if (findings.length > 0) return findings
    return [
      {
        id: 'links',
        severity: 'ok',
        what: `${beads.length} ${beads.length === 1 ? 'bead' : 'beads'}: claims, hooks and dependencies fit`,
      },
    ]
  },
})

function checkHooks(view: View, beads: readonly Bead[]): Finding[] {
  const held = new Map<string, Bead[]>()
  for (const bead of beads) {
    if (bead.status !== 'hooked' || bead.assignee === undefined) continue
    held.set(bead.assignee, [...(held.get(bead.assignee) ?? []), bead])
  }
  const agents = new Map(
    view
      .list({ kind: 'agent' })
      .map(agentFrom)
      .map((agent) => [agent.id as string, agent]),
  )
  const findings: Finding[] = []
  for (const [id, theirs] of held) {
    const names = theirs.map(({ shownId }) => shownId).join(', ')
    if (!agents.has(id)) {
      findings.push({
        id: 'hooked-by-nobody',
        severity: 'error',
        what: `${names} is hooked by ${id}, and there is no such agent`,
        where: names,
        hint: `gt unsling ${theirs[0]?.shownId ?? ''}`,
      })
    } else if (theirs.length > 1) {
      findings.push({
        id: 'two-hooks',
        severity: 'error',
        what: `${id} holds ${theirs.length} beads at once: ${names}`,
        where: id,
        hint: `gt unsling all but one of them`,
      })
    }
  }
  for (const agent of agents.values()) {
    if (agent.hook === undefined) continue
    const bead = beads.find(({ id }) => id === agent.hook)
    if (bead?.assignee === agent.id && ['hooked', 'in_review'].includes(bead.status)) continue
    findings.push({
      id: 'hook-without-bead',
      severity: 'warning',
      what:
        bead === undefined
          ? `the hook of ${agent.id} holds ${agent.hook}, and there is no such bead`
          : `the hook of ${agent.id} holds ${bead.shownId}, which is ${bead.status}${bead.assignee === undefined ? '' : ` and assigned to ${bead.assignee}`}`,
      where: agent.id,
      hint: `gt unsling ${bead?.shownId ?? agent.hook}`,
    })
  }
  return findings
}

function checkDependencies(view: View, beads: readonly Bead[]): Finding[] {
  const findings: Finding[] = []
  const edges = new Map<string, readonly string[]>()
  const names = new Map(beads.map(({ id, shownId }) => [id as string, shownId]))
  for (const bead of beads) {
    edges.set(bead.id, bead.blockedBy)
    for (const dep of bead.deps) {
      const { type, target } = dependencyParts(dep)
      if (view.get(target) !== undefined) continue
      findings.push({
        id: 'dependency-on-nothing',
        // An import may name what was never imported; only a blocker holds work up.
        severity: type === 'blocks' ? 'warning' : 'note',
        what: `${bead.shownId} ${type === 'blocks' ? 'waits for' : `is tied (${type}) to`} ${target}, and there is no such bead`,
        where: bead.shownId,
        hint: `gt bead dep remove ${bead.shownId} ${target}`,
      })
    }
  }
  for (const circle of findCircles(edges)) {
    const shown = circle.map((id) => names.get(id) ?? id)
    findings.push({
      id: 'dependency-circle',
      severity: 'error',
      what: `beads wait for each other: ${[...shown, shown[0]].join(' -> ')}`,
      where: shown[0] ?? '',
      hint: `gt bead dep remove ${shown[0]} ${shown[1] ?? shown[0]}`,
    })
  }
  return findings
}

/** Each circle once. Without recursion: chains may be thousands long. */
export function findCircles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = []
  const done = new Set<string>()
  for (const start of edges.keys()) {
    const path: string[] = []
    const places = new Map<string, number>()
    const stack: { id: string; next: number }[] = done.has(start) ? [] : [{ id: start, next: 0 }]
    while (stack.length > 0) {
      const top = stack.at(-1)
      if (top === undefined) break
      if (top.next === 0) {
        places.set(top.id, path.length)
        path.push(top.id)
      }
      const follower = edges.get(top.id)?.[top.next++]
      if (follower === undefined) {
        done.add(top.id)
        places.delete(top.id)
        path.pop()
        stack.pop()
      } else {
        const place = places.get(follower)
        if (place !== undefined) circles.push(path.slice(place))
        else if (!done.has(follower) && edges.has(follower)) stack.push({ id: follower, next: 0 })
      }
    }
  }
  return circles
}
