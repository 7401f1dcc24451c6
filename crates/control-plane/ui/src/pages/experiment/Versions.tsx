export default function Versions({ id, from, to }: { id: string; from: number; to: number }) {
  return (
    <div class="in">
      <div class="head first">
        <h1>{id} {from} {to}</h1>
      </div>
    </div>
  );
}
