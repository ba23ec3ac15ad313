import { defineCommand } from '../command.js'

export default defineCommand({
  name: 'doctor',
  group: 'town',
  summary: 'examine the town: store, beads, agents, configuration, tools, repositories',
  about:
    'Looks at everything and changes nothing. With --fix it makes the repairs that lose nothing, beside running agents, and says what it did; what it takes away lies in .beads/local/aside. Exit code 0: all is well, or was mended; 1: problems are left.',
  options: [
    { flags: '--fix', about: 'make the safe repairs' },
    {
      flags: '--deep',
      about: 'also what takes seconds: a trial of the disk with 8 writers, every long text and object read',
    },
  ],
  examples: ['gt doctor', 'gt doctor --fix', 'gt doctor --deep --json'],
  // Nothing is written that was not asked for.
  readsOnly: true,
  async run(context, _args, options) {
    const { checkTable } = await import('virtual:check-table')
    const { runDoctor } = await import('../../app/run-doctor.js')
    const { openPatient } = await import('../../wire.js')
    const { hasUnicode } = await import('../agent-text.js')
    const { doctorText } = await import('../doctor-text.js')
    const { cwd, env, packageDir, pid } = context.io
    const town = context.townOption === undefined ? {} : { town: context.townOption }
    const patient = await openPatient({ cwd, env, packageDir, pid, ...town })
    const checks = await Promise.all(checkTable.map(async (load) => (await load()).default))
    const fix = options.fix === true
    const examination = await runDoctor(patient, checks, { fix, deep: options.deep === true })
    return {
      data: { root: patient.root, ...withoutActions(examination) },
      text: doctorText(patient.root, examination, { fix, unicode: hasUnicode(env) }),
      exitCode: examination.problems === 0 ? 0 : 1,
    }
  },
})

/** A fix in JSON is what it would do. */
function withoutActions(
  examination: Awaited<ReturnType<typeof import('../../app/run-doctor.js')['runDoctor']>>,
) {
  return {
    ...examination,
    groups: examination.groups.map(({ group, findings }) => ({
      group,
      findings: findings.map(({ fix, ...finding }) => ({
        ...finding,
        ...(fix === undefined ? {} : { fix: fix.what }),
      })),
    })),
  }
}
