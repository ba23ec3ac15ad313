import { defineCommand } from '../../command.js'
import { plain, table } from '../../table.js'

export default defineCommand({
  name: 'store size',
  group: 'town',
  summary: 'show where the bytes of the store are: folders, machines, kinds, the largest entities',
  examples: ['gt store size', 'gt store size --json'],
  readsOnly: true,
  async run(context) {
    const size = await (await (await context.town()).upkeep()).size()
    return {
      data: size,
      text: [
        `${bytes(size.totalBytes)} in all`,
        '',
        ...table(
          size.parts.map(({ name, files, sizeBytes }) => [name, String(files), bytes(sizeBytes)]),
          ['FOLDER', 'FILES', 'BYTES'],
        ),
        '',
        ...table(
          size.clones.map((one) => [
            one.clone,
            `${one.segments}`,
            bytes(one.segmentBytes),
            `${one.bases}`,
            bytes(one.baseBytes),
          ]),
          ['CLONE', 'SEGMENTS', 'BYTES', 'BASES', 'BYTES'],
        ),
        '',
        ...table(
          [
            ...size.kinds.map(({ kind, count, sizeBytes }) => [kind, String(count), bytes(sizeBytes)]),
            ['event', String(size.events.count), bytes(size.events.sizeBytes)],
          ],
          ['KIND', 'COUNT', 'BYTES'],
        ),
        ...(size.largest.length === 0
          ? []
          : [
              '',
              ...table(
                size.largest.map(({ id, kind, title, sizeBytes }) => [
                  id,
                  kind,
                  bytes(sizeBytes),
                  plain(title, 60),
                ]),
                ['LARGEST', 'KIND', 'BYTES', 'TITLE'],
              ),
            ]),
      ],
    }
  },
})

const UNITS = ['B', 'KB', 'MB', 'GB']

function bytes(number: number): string {
  let value = number
  let unit = 0
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}
