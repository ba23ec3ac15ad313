import {
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { rigOf, sandbox } from './support/sandbox.js'

const BLOCK = '# gt: begin\n.opencode/\n# gt: end\n'

test.each([
  ['an empty file', ''],
  ['a usual file', '# mine\n*.log\n'],
  ['no newline at its end', '*.log'],
  ['Windows line ends', '*.log\r\n*.tmp\r\n'],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x0a, 0x00, 0x80])],
  ['blank lines at its end', '*.log\n\n\n'],
])('exclude and unexclude give back every byte of %s', async (_, content) => {
  using box = sandbox()
  const clone = box.makeClone()
  const rig = rigOf(clone)
  const file = join(clone, '.git/info/exclude')
  writeFileSync(file, content)
  await box.repositories.exclude(rig, ['.opencode/', 'ü.txt'])
  await box.repositories.exclude(rig, ['.opencode/', 'ü.txt'])
  for (const name of ['.opencode/x', 'ü.txt']) box.write(join(clone, name), 'x')
  expect(box.git(clone, 'status', '--porcelain')).toBe('')
  expect(readFileSync(file, 'latin1').match(/# gt: begin/g)).toHaveLength(1)
  await box.repositories.unexclude(rig)
  expect(readFileSync(file)).toEqual(Buffer.from(content))
  await box.repositories.unexclude(rig)
  expect(readFileSync(file)).toEqual(Buffer.from(content))
})

test('lines that the user adds around the block stay, and what others put into it', async () => {
  using box = sandbox()
  const clone = box.makeClone()
  const file = join(clone, '.git/info/exclude')
  writeFileSync(file, `one\n${BLOCK}two\n`)
  await box.repositories.exclude(rigOf(clone), ['new'])
  expect(readFileSync(file, 'utf8')).toBe('one\ntwo\n# gt: begin\n.opencode/\nnew\n# gt: end\n')
  writeFileSync(file, 'one\n# gt: begin\nnew\ntwo\n')
  await box.repositories.unexclude(rigOf(clone))
  expect(readFileSync(file, 'utf8')).toBe('one\nnew\ntwo\n')
})

test('a symbolic link stays one, the mode stays, a missing folder is made', async () => {
  using box = sandbox()
  const clone = box.makeClone()
  const rig = rigOf(clone)
  const file = join(clone, '.git/info/exclude')
  const target = join(box.root, 'dotfiles/exclude')
  mkdirSync(join(box.root, 'dotfiles'))
  renameSync(file, target)
  writeFileSync(target, 'mine\n', { mode: 0o640 })
  const { mode } = statSync(target)
  symlinkSync('../../../dotfiles/exclude', file)
  await box.repositories.exclude(rig, ['.opencode/'])
  expect(lstatSync(file).isSymbolicLink()).toBe(true)
  expect(readFileSync(target, 'utf8')).toBe(`mine\n${BLOCK}`)
  expect(statSync(target).mode).toBe(mode)
  rmSync(target)
  await box.repositories.exclude(rig, ['.opencode/'])
  expect(readFileSync(target, 'utf8')).toBe(BLOCK)
  rmSync(join(clone, '.git/info'), { recursive: true })
  await box.repositories.exclude(rig, ['.opencode/'])
  expect(readFileSync(file, 'utf8')).toBe(BLOCK)
  await expect(box.repositories.exclude(rig, ['two\nlines'])).rejects.toMatchObject({ code: 'bad-pattern' })
})

test('it counts in worktrees, also of a URL rig; many at once leave one block', async () => {
  using box = sandbox('hostile')
  const rig = rigOf(box.makeRemote().url)
  const { head: base } = await box.repositories.prepare(rig)
  const path = join(box.root, 'w')
  await box.repositories.addWorktree({ rig, path, branch: 'gt/a/x', base })
  await Promise.all(Array.from({ length: 10 }, () => box.repositories.exclude(rig, ['.opencode/'])))
  box.write(join(path, '.opencode/x'), 'x')
  expect((await box.repositories.worktreeState(rig, path)).dirty).toEqual([])
  expect(readFileSync(join(box.townRoot, 'rigs/proj/repo.git/info/exclude'), 'utf8')).toBe(BLOCK)
})
