export default function Experiments() {
  return (
    <div class="in">
      <div class="head first">
        <h1>Experiments</h1>
      </div>
    </div>
  );
}
