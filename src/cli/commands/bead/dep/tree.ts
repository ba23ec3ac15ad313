import type { TreeNode } from '../../../../app/dependencies.js'
import { defineCommand } from '../../../command.js'
import { plain } from '../../../table.js'

export default defineCommand({
  name: 'bead dep tree',
  aliases: ['issue dep tree'],
  group: 'work',
  summary: 'show what must be done for a bead: its children and what it waits for',
  args: [{ name: 'bead', about: 'id, or the start of one', required: true }],
  options: [{ flags: '--up', about: 'what waits for it, and its parents, instead' }],
  readsOnly: true,
  examples: ['gt bead dep tree epic-1', 'gt bead dep tree issue-123 --up'],
  async run(context, args, options) {
    const [{ dependencyTree }, { getBead }] = await Promise.all([
      import('../../../../app/dependencies.js'),
      import('../../../../app/find-entity.js'),
    ])
    const view = (await context.town()).ledger.read()
    const tree = dependencyTree(view, getBead(view, args.text(0)), options.up === true)
    return { data: { tree: treeJson(tree) }, text: treeLines(tree, '', '', options.up === true) }
  },
})

function treeLines(node: TreeNode, head: string, indent: string, up: boolean): string[] {
  const state = node.status === undefined ? 'not here' : node.status
  const title = node.title === undefined ? '' : `  ${plain(node.title, 80)}`
  const again = node.isRepeated ? '  (above)' : ''
  const lines = [`${head}${word(node.type, up)}${plain(node.shownId)}  ${state}${title}${again}`]
  for (const [i, child] of node.children.entries()) {
    const isLast = i === node.children.length - 1
    lines.push(
      ...treeLines(child, `${indent}${isLast ? '└ ' : '├ '}`, `${indent}${isLast ? '  ' : '│ '}`, up),
    )
  }
  return lines
}

function word(type: string, up: boolean): string {
  if (type === 'blocks') return up ? 'waited for by ' : 'waits for '
  return type === 'parent-child' ? (up ? 'child of ' : 'child ') : ''
}

function treeJson(node: TreeNode): object {
  return {
    id: node.shownId,
    key: node.key,
    type: node.type,
    title: node.title ?? null,
    status: node.status ?? null,
    repeated: node.isRepeated,
    children: node.children.map(treeJson),
  }
}
