# Write a task file of 240 items that take half a minute of work in all: 24 samples, ten chunks each.
# One item in the middle fails at its first attempt and recovers at the next, as items on a bad day do.
echo 'itemID|TaskID|TaskScript'
sample=1
while [ "$sample" -le 24 ]; do
  chunk=0
  while [ "$chunk" -le 9 ]; do
    script="sleep 0.$((chunk % 4)); seq $((sample * 100 + chunk)) | cksum"
    if [ "$sample$chunk" = 125 ]; then
      script="mkdir first-attempt 2>/dev/null && { echo 'no luck at the first attempt' >&2; exit 1; }; $script"
    fi
    echo "S$sample-$chunk|S$sample|$script"
    chunk=$((chunk + 1))
  done
  sample=$((sample + 1))
done
