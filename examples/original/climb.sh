#!/usr/bin/env bash
# One task of the nested example: climb a mountain, the harder the higher. Usage: climb.sh Easy|Normal|Hard
set -euo pipefail

case "${1:-}" in
  Easy) top=3 ;;
  Normal) top=6 ;;
  Hard) top=12 ;;
  *) echo "climb.sh: there is no climb called '${1:-}'" >&2; exit 2 ;;
esac

echo "$1: $top camps to the top"
for ((camp = 1; camp <= top; camp++)); do
  echo "camp $camp, $((camp * 400)) m"
done
printf 'PyAnamo:\t%s\t%d m\n' "$1" "$((top * 400))" # a tag: the record keeps such lines whatever else is printed
