import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { syncDirectory } from '../system/atomic-write.js'
import { ownIdentity, readIdentity } from './clone-identity.js'
import { checkFileSystem } from './file-system-kind.js'
import { branchOf, initRepository } from './git-process.js'
import { FORMAT, storePaths } from './layout.js'
import { newerFormat, writeError } from './store-errors.js'
import { type StoreOptions, storeSettings } from './store-options.js'

export interface CreatedStore {
  /** Id this directory writes under. */
  clone: string
  /** False when the store was there already. */
  isNew: boolean
}

/**
 * Lays out a store in `dir` (the `.beads` directory itself; its parent must exist). Safe to repeat: what an interrupted
 * run left out is added, what is there stays.
 *
 * @throws ConfigError codes `network-file-system`, `store-format`; OperationError codes `disk-full`,
 *   `store-not-writable`; ExternalError code `git-failed`
 */
export async function createStore(dir: string, options: StoreOptions = {}): Promise<CreatedStore> {
  const settings = storeSettings(options)
  const paths = storePaths(dir)
  const before = existsSync(dir) ? readIdentity(paths.clone) : undefined
  if (before !== undefined && before.format > FORMAT) throw newerFormat(dir, before.format)
  try {
    makeDirectories(dir, settings.isDurable)
    const { clone } = ownIdentity(paths, settings)
    if (!existsSync(join(paths.git, 'HEAD'))) await initRepository(paths.git, branchOf(clone), settings.env)
    return { clone, isNew: before === undefined }
  } catch (error) {
    throw writeError(dir, error)
  }
}

function makeDirectories(dir: string, isDurable: boolean): void {
  const { blob, cache, local, log } = storePaths(dir)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  chmodSync(dir, 0o700)
  checkFileSystem(dir)
  // `log` last: it is what makes the directory a store.
  for (const directory of [blob, cache, local, log]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  }
  writeFileSync(join(dir, 'README'), README, { mode: 0o600 })
  if (isDurable) {
    syncDirectory(dir)
    syncDirectory(join(dir, '..'))
  }
}

const README = `This is a gt beads store. Plain text; safe to read with any tool. Please change it through gt only.

  log/      the truth: one JSON object per line. One chain of files per clone (machine): segments, which are only appended
            to, and at times a base, one line per bead, mail and agent, which stands for the segments before it
  blob/     texts over 64 KiB, named by their SHA-256; a line refers to one as {"$blob":"<name>"}
  cache/    can be deleted at any time
  local/    who this clone is; not shared
  .git/     history of log/, a bare repository; can be deleted, gt makes it again from log/

The commands below run in this folder. Of a bead made by gt the shown id is the start of the key in the log.

Titles as beads got them when they were made or imported:
  $ cat log/*.jsonl | jq -r '.ops[] | select(.k == "bead") | .id + "  " + (.f.title // .reg.title[1])'
All fields of one bead, the last line that names each:
  $ cat log/*.jsonl | jq -s 'sort_by(.t) | [.[].ops[] | select((.id // "") | startswith("proj-4k7q2")) | (.f | objects), (.reg // {} | map_values(.[1])), (.grd // {} | map_values(.[3]))] | add'
The same without jq:
  $ cat log/*.jsonl | node -e 'const all={};for(const line of require("fs").readFileSync(0,"utf8").split("\\n").sort()){try{for(const op of JSON.parse(line).ops){if(!(op.id||"").startsWith(process.argv[1]))continue;if(typeof op.f=="object")Object.assign(all,op.f);for(const k in op.reg)all[k]=op.reg[k][1];for(const k in op.grd)all[k]=op.grd[k][3]}}catch{}}console.log(JSON.stringify(all,null,1))' proj-4k7q2
Every line about one bead, oldest first:
  $ grep -h '"id":"proj-4k7q2' log/*.jsonl | sort
What one agent wrote:
  $ cat log/*.jsonl | jq -c 'select(.by == "proj/toast") | .ops'
History, and what it held about one bead (as of the last commit):
  $ git log --stat
  $ git grep -h '"id":"proj-4k7q2' HEAD

A line that another writer overtook stays in the file without counting: gt shows what counts.
`
