import { Argument, Command } from 'commander';
import type { CommandEntry } from './command-entry.ts';
import { Output } from './output.ts';

interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly { readonly flag: string; readonly description: string }[];
  /** What its argument may be, where it is one of a few words. */
  readonly choices: readonly string[];
}

const SCRIPTS: Readonly<
  Record<'bash' | 'zsh' | 'fish', (commands: readonly Completed[]) => string>
> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function define(command: Command, all: readonly CommandEntry[]): void {
  command
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
bash: source <(tidemark completion bash)
zsh:  source <(tidemark completion zsh)
fish: tidemark completion fish | source`,
    )
    .action(async (shell: keyof typeof SCRIPTS) => {
      const output = new Output();
      output.text(SCRIPTS[shell](await completedCommands(all)));
      await output.flush();
    });
}

async function completedCommands(all: readonly CommandEntry[]): Promise<Completed[]> {
  return Promise.all(
    all.map(async ({ name, summary, load }) => {
      const command = new Command(name);
      (await load()).define(command, all);
      return {
        name,
        summary,
        options: command.options.map(({ long, description }) => ({
          flag: long as string,
          description,
        })),
        choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
      };
    }),
  );
}

/** Directories and files where no option begins: each command takes some. */
function bashScript(commands: readonly Completed[]): string {
  const cases = commands.map(
    ({ name, options, choices }) =>
      `    ${name}) words='${[...choices, ...options.map(({ flag }) => flag)].join(' ')}' ;;`,
  );
  return `_tidemark() {
  local words current=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help --help --version' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case $current in -*) ;; *) COMPREPLY+=($(compgen -f -- "$current")) ;; esac
}
complete -o filenames -F _tidemark tidemark`;
}

function zshScript(commands: readonly Completed[]): string {
  const names = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map(({ name, options, choices }) => {
    const words = [
      ...options.map(({ flag }) => `'${flag}'`),
      choices.length > 0 ? `'2:choice:(${choices.join(' ')})'` : "'*:file:_files'",
    ];
    return `    ${name}) _arguments ${words.join(' ')} ;;`;
  });
  return `_tidemark() {
  local -a commands
  commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case \${words[2]} in
${cases.join('\n')}
  esac
}
compdef _tidemark tidemark`;
}

function fishScript(commands: readonly Completed[]): string {
  return commands
    .flatMap(({ name, summary, options, choices }) => {
      const within = `complete -c tidemark -n '__fish_seen_subcommand_from ${name}'`;
      return [
        `complete -c tidemark -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
        ...choices.map((choice) => `${within} -f -a ${choice}`),
        ...options.map(
          ({ flag, description }) => `${within} -l ${flag.slice(2)} -d ${quoted(description)}`,
        ),
      ];
    })
    .join('\n');
}

/** Quotes a text for any of the three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
