import type { Turn } from '../scripted-model/script.js'
import { DEMO_BEADS, type DemoBead } from './demo-project.js'

/**
 * What the scripted model answers to the agent of each bead. It finds the bead in the context that `gt prime` put before
 * it: without that context it has nothing to say, and the demo fails.
 */
export function demoTurns(): Turn[] {
  return DEMO_BEADS.map(beadTurn)
}

function beadTurn(bead: DemoBead): Turn {
  const test = `test/${bead.module}.test.js`
  const bash = (command: string, description: string) => ({ tool: 'bash', args: { command, description } })
  return {
    name: bead.id,
    when: { userText: new RegExp(`bead ${bead.id}:`), systemText: new RegExp(`Your bead: ${bead.id} `) },
    steps: [
      {
        say: `My bead is ${bead.id}: ${bead.title}. First I look at the failing test.`,
        tools: [bash(`node --test ${test}; cat src/${bead.module}.js`, 'run the failing test')],
      },
      {
        say: 'I see what is wrong. I write the mended module.',
        tools: [
          bash(
            `cat > src/${bead.module}.js <<'END_OF_FILE'\n${bead.mended}END_OF_FILE`,
            `mend src/${bead.module}.js`,
          ),
        ],
      },
      {
        say: 'Now the test, and a commit if it is green.',
        tools: [
          bash(
            `node --test ${test} && git add -A && git commit -m '${bead.commitMessage}'`,
            'test and commit',
          ),
        ],
      },
      { say: 'Committed. I hand it in.', tools: [bash('gt done', 'hand the commits to the merge queue')] },
      { say: 'Done: the merge queue has it.' },
    ],
  }
}
