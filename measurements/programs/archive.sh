# Archives of some folders through a compression and a cipher, four times: sh archive.sh FOLDER ...
for i in 1 2 3 4; do
    tar -cf - "$@" | bzip2 -1 | openssl enc -aes-256-ctr -K 00 -iv 00 2> /dev/null | openssl dgst -sha256 > /dev/null
done
exit 0
