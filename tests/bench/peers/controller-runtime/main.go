// Controller-runtime is a plain controller of shares, as one writes it in an afternoon: it reads the Secret, sends the
// value and patches the status. It keeps no ledger and writes no events, so a crash at the wrong moment sends twice. The
// bench compares the operator with it.
//
// The environment says where to send: ONETIME_URL, ONETIME_USERNAME, ONETIME_TOKEN. KUBECONFIG names the cluster.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var kind = schema.GroupVersionKind{Group: "onetimeshare.dev", Version: "v1alpha1", Kind: "OneTimeShare"}

const requestTimeout = 30 * time.Second

func main() {
	workers := flag.Int("workers", 1, "how many shares are reconciled at once; 1 is the library's default")
	flag.Parse()
	ctrl.SetLogger(klog.Background())
	if err := run(*workers); err != nil {
		fmt.Fprintln(os.Stderr, "controller-runtime:", err)
		os.Exit(1)
	}
}

func run(workers int) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	// As the library's own GetConfig does since 0.21: no limit on the side of the client.
	config.QPS = -1
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Metrics: metricsserver.Options{BindAddress: "0"},
		// A cache of Secrets would hold every Secret of the cluster.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = workers
	reconciler := &reconciler{
		client:  manager.GetClient(),
		service: http.Client{Transport: transport, Timeout: requestTimeout},
		url:     os.Getenv("ONETIME_URL") + "/api/v1/share",
		user:    os.Getenv("ONETIME_USERNAME"),
		token:   os.Getenv("ONETIME_TOKEN"),
	}
	err = ctrl.NewControllerManagedBy(manager).
		Named("onetimeshare").
		For(share()).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconciler)
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

func share() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object
}

type reconciler struct {
	client           client.Client
	service          http.Client
	url, user, token string
}

// Reconcile sends a share that has no link.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := share()
	if err := r.client.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if link, _, _ := unstructured.NestedString(object.Object, "status", "link"); link != "" {
		return ctrl.Result{}, nil
	}
	value, err := r.value(ctx, object)
	if err != nil {
		return ctrl.Result{}, err
	}
	recipient, _, _ := unstructured.NestedString(object.Object, "spec", "recipient")
	receipt, err := r.send(ctx, value, recipient)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := object.DeepCopy()
	object.Object["status"] = status(object.GetGeneration(), receipt, strings.TrimSuffix(r.url, "/api/v1/share"))
	return ctrl.Result{}, r.client.Status().Patch(ctx, object, client.MergeFrom(before))
}

func (r *reconciler) value(ctx context.Context, object *unstructured.Unstructured) ([]byte, error) {
	name, _, _ := unstructured.NestedString(object.Object, "spec", "secretRef", "name")
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: object.GetNamespace(), Name: name}
	if err := r.client.Get(ctx, key, secret); err != nil {
		return nil, err
	}
	for _, value := range secret.Data {
		return value, nil
	}
	return nil, fmt.Errorf("the Secret %s is empty", name)
}

// What the service answers; the rest is not needed.
type receipt struct {
	SecretKey string `json:"secret_key"`
	TTL       int64  `json:"secret_ttl"`
}

func (r *reconciler) send(ctx context.Context, value []byte, recipient string) (receipt, error) {
	form := url.Values{"secret": {string(value)}, "ttl": {strconv.Itoa(24 * 3600)}}
	if recipient != "" {
		form.Set("recipient", recipient)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewBufferString(form.Encode()))
	if err != nil {
		return receipt{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(r.user, r.token)
	response, err := r.service.Do(request)
	if err != nil {
		return receipt{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return receipt{}, err
	}
	if response.StatusCode != http.StatusOK {
		return receipt{}, fmt.Errorf("the service answered %d", response.StatusCode)
	}
	made := receipt{}
	return made, json.Unmarshal(body, &made)
}

func status(generation int64, made receipt, server string) map[string]any {
	now := time.Now().UTC()
	return map[string]any{
		"observedGeneration": generation,
		"state":              "Shared",
		"link":               server + "/secret/" + made.SecretKey,
		"secretKey":          made.SecretKey,
		"createdAt":          now.Format(time.RFC3339),
		"expiresAt":          now.Add(time.Duration(made.TTL) * time.Second).Format(time.RFC3339),
		"ttlSeconds":         made.TTL,
		"conditions": []any{map[string]any{
			"type": "Ready", "status": string(metav1.ConditionTrue), "reason": "Shared", "message": "The link is ready.",
			"observedGeneration": generation, "lastTransitionTime": now.Format(time.RFC3339),
		}},
	}
}
