/**
 * Every circle that can be reached from `starts`: each as the keys that lie on it (a strongly connected part, or one key that
 * names itself). A loop and not a recursion: chains may be longer than the stack is deep.
 */
export function findCircles(starts: Iterable<string>, next: (key: string) => readonly string[]): string[][] {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const open: string[] = []
  const isOpen = new Set<string>()
  const circles: string[][] = []
  for (const start of starts) {
    if (order.has(start)) continue
    const path: { key: string; rest: string[] }[] = [enter(start)]
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const child = top.rest.pop()
      if (child === undefined) {
        path.pop()
        leave(top.key, path.at(-1)?.key)
      } else if (!order.has(child)) path.push(enter(child))
      else if (isOpen.has(child)) lower(top.key, order.get(child) ?? 0)
    }
  }
  return circles

  function enter(key: string) {
    order.set(key, order.size)
    low.set(key, order.size - 1)
    open.push(key)
    isOpen.add(key)
    return { key, rest: [...next(key)] }
  }

  function lower(key: string, to: number): void {
    low.set(key, Math.min(low.get(key) ?? 0, to))
  }

  function leave(key: string, parent: string | undefined): void {
    if (parent !== undefined) lower(parent, low.get(key) ?? 0)
    if (low.get(key) !== order.get(key)) return
    const part = open.splice(open.lastIndexOf(key))
    for (const member of part) isOpen.delete(member)
    if (part.length > 1 || next(key).includes(key)) circles.push(part)
  }
}
