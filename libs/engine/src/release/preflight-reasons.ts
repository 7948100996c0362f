import type { PreflightView } from '@pawl/contracts';

/** Consumers that a reason names, and how much of what they say. */
const NAMED = 3;
const SAID = 200;

/** Why a release goes on, with numbers. */
export function acceptedText({ consumers }: PreflightView): string {
  const { asked, accepted } = consumers;
  if (asked === 0) return 'preflight: nobody is there for whom it changes anything';
  return `preflight: ${accepted} of ${asked} accept it`;
}

/** Who rejects it, and why. */
export function rejectedText({ consumers, rejections }: PreflightView): string {
  const { asked, rejected } = consumers;
  const who = rejections.map((one) => {
    const where = one.pointer === undefined ? '' : `, ${shortened(one.pointer)}`;
    return `${nameOf(one)} at ${one.address}${where}: ${shortened(one.reason)}`;
  });
  return `preflight: ${rejected} of ${asked} reject it: ${firstOf(who, rejected)}`;
}

/** Who is silent, and who cannot say why. */
export function unsureText({ consumers, unsure }: PreflightView): string {
  const { asked, accepted, silent, cannotSay } = consumers;
  const parts = [`preflight: ${accepted} of ${asked} accept it`];
  const isSilent = (one: PreflightView['unsure'][number]): boolean => one.answer === 'silent';
  if (silent > 0) {
    const who = [...new Set(unsure.filter(isSilent).map(nameOf))];
    parts.push(
      `${silent} silent (blocked, gone, or of an SDK older than preflights): ${firstOf(who, silent)}`,
    );
  }
  if (cannotSay > 0) {
    const who = unsure.filter((one) => !isSilent(one));
    const texts = who.map((one) => `${nameOf(one)}: ${shortened(one.reason ?? '')}`);
    parts.push(`${cannotSay} cannot say: ${firstOf(texts, cannotSay)}`);
  }
  return parts.join('; ');
}

function nameOf(
  one: PreflightView['unsure'][number] | PreflightView['rejections'][number],
): string {
  const build = one.build === undefined ? '' : ` (build ${one.build})`;
  return `${one.workload}/${one.consumerId}${build}`;
}

function firstOf(texts: readonly string[], count: number): string {
  const more = count - Math.min(NAMED, texts.length);
  return `${texts.slice(0, NAMED).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** Cut before a pair of surrogates rather than inside it. */
function shortened(text: string): string {
  if (text.length <= SAID) return text;
  return `${text.slice(0, SAID).replace(/[\ud800-\udbff]$/, '')}…`;
}
