// client URL [BODY] asks with net/http, and prints status, version of HTTP and length of the body.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	method, body := "GET", io.Reader(nil)
	if len(os.Args) > 2 {
		method, body = "POST", strings.NewReader(os.Args[2])
	}
	request, err := http.NewRequest(method, os.Args[1], body)
	if err != nil {
		log.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.StatusCode, strings.TrimSuffix(strings.TrimPrefix(answer.Proto, "HTTP/"), ".0"), len(got))
}
